package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Directory is a Secrets that reads mounted Kubernetes secrets as they are, one file per key, without JSON:
//
//	user.crt, user.key (Strimzi's KafkaUser), or tls.crt, tls.key     a client certificate
//	username, password                                                 a login
//	ca.crt alone                                                       a CA
//
// The URI is "dir:" (or nothing) and the path of a directory below the Directory's own. It may also name one file with
// PEM certificates, such as dir:kafka-user/ca.crt, or with a secret's JSON. If the key is encrypted, its password is in
// user.password, tls.password or key.password. Every call reads the files again, so a changed secret is a rotation. All
// files are of one version, even while Kubernetes replaces them. It is safe for concurrent use.
type Directory struct {
	directory string
	versioner versioner
}

// NewDirectory returns a Directory that reads below directory. No path leads outside of it, not even through a symbolic
// link.
func NewDirectory(directory string) *Directory {
	return &Directory{directory: directory, versioner: newVersioner()}
}

// swapTries is how often reading is tried while a secret is being replaced: the old version is deleted after the new
// one is in place.
const swapTries = 20

// errSwapped says that the version changed while it was read.
var errSwapped = errors.New("changes all the time")

// Secret reads a mounted secret, or one file of it.
func (d *Directory) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	name := path.Clean(strings.TrimPrefix(uri, "dir:"))
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return nil, "", &SecretError{URI: uri, Kind: ErrSecretUnavailable, Problem: "was not read", Err: err}
		}
		value, err := d.read(name)
		if errors.Is(err, errSwapped) && try < swapTries {
			continue
		}
		if err != nil {
			return nil, "", directoryError(uri, err)
		}
		if len(value) > MaxSecretSize {
			return nil, "", tooLarge(uri, int64(len(value)))
		}
		return value, d.versioner.version(uri, value), nil
	}
}

// read reads what name refers to, all of one version.
func (d *Directory) read(name string) ([]byte, error) {
	root, err := os.OpenRoot(d.directory)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		content, err := readSmall(root, name)
		if err != nil || bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
			return content, err
		}
		return json.Marshal(map[string]string{"certificate": string(content)})
	}
	// Kubernetes mounts files as links to ..data/file, and ..data is a link that it swaps. Resolving ..data once and
	// reading there gives one version.
	link := path.Join(name, "..data")
	version, err := root.Readlink(link)
	if err != nil { // a directory of files
		return fieldsIn(root, name)
	}
	value, err := fieldsIn(root, path.Join(name, version))
	// The old version is deleted after the swap, so what was read without a swap is complete.
	if now, linkErr := root.Readlink(link); linkErr != nil || now != version {
		return nil, errSwapped
	}
	return value, err
}

// fieldsIn builds a secret's JSON from the files in a directory.
func fieldsIn(root *os.Root, name string) ([]byte, error) {
	mounted, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = mounted.Close() }()
	return fieldsOf(mounted)
}

// errNoKeys says that none of the files of a secret exist.
var errNoKeys = errors.New("holds none of user.crt and user.key, tls.crt and tls.key, username and password, ca.crt")

// fieldsOf builds a secret's JSON from the files of a mounted secret.
func fieldsOf(mounted *os.Root) ([]byte, error) {
	has := func(name string) bool {
		info, err := mounted.Stat(name)
		return err == nil && info.Mode().IsRegular()
	}
	fields := map[string]string{}
	read := func(field, name string) error {
		content, err := readSmall(mounted, name)
		fields[field] = string(content)
		return err
	}
	var err error
	switch {
	case has("user.crt") && has("user.key"):
		err = clientFields(read, has, fields, "user")
	case has("tls.crt") && has("tls.key"):
		err = clientFields(read, has, fields, "tls")
	case has("username") && has("password"):
		err = errors.Join(read("username", "username"), read("password", "password"))
	case has("ca.crt"):
		err = read("certificate", "ca.crt")
	default:
		return nil, errNoKeys
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// clientFields reads a certificate and its key. Strimzi's user.password belongs to a PKCS#12 file; the key beside it is
// not encrypted.
func clientFields(read func(field, name string) error, has func(string) bool, fields map[string]string, name string) error {
	if err := errors.Join(read("certificate", name+".crt"), read("privateKey", name+".key")); err != nil {
		return err
	}
	if !strings.Contains(fields["privateKey"], "ENCRYPTED") {
		return nil
	}
	for _, file := range []string{name + ".password", "key.password"} {
		if has(file) {
			if err := read("privateKeyPassword", file); err != nil {
				return err
			}
			fields["privateKeyPassword"] = strings.TrimRight(fields["privateKeyPassword"], "\r\n")
			return nil
		}
	}
	return nil
}

// readSmall reads a regular file, up to the maximum size of a secret.
func readSmall(root *os.Root, name string) ([]byte, error) {
	// Stat before open: opening a named pipe would wait for a writer.
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errIrregular
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, MaxSecretSize+1))
}

var errIrregular = errors.New("is not a regular file")

// directoryError returns why a mounted secret was not read.
func directoryError(uri string, err error) error {
	fail := func(kind error, problem, hint string) error {
		return &SecretError{URI: uri, Kind: kind, Problem: problem, Hint: hint}
	}
	switch {
	case errors.Is(err, errNoKeys), errors.Is(err, errIrregular):
		return fail(ErrSecretInvalid, err.Error(), "name the directory in which the secret is mounted, or one file of it")
	case errors.Is(err, fs.ErrNotExist):
		return fail(ErrSecretNotFound, "there is no such file or directory", "check the path and that the volume is mounted")
	case errors.Is(err, fs.ErrPermission):
		return fail(ErrSecretAccessDenied, "may not be read by this process", "check mode and owner")
	}
	return fail(ErrSecretUnavailable, "cannot be read", "check the path: "+pathCause(err))
}
