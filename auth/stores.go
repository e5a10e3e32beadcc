package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files is a Secrets that reads files: Kubernetes and Docker secrets, or any other mounted file. The URI is "file:" (or
// nothing) and a path. The file holds the same JSON as the secret in AWS Secrets Manager. Each call reads the file
// again, so replacing the file rotates the secret. It is safe for concurrent use.
type Files struct {
	directory string
	versioner versioner
}

// NewFiles returns a Files that reads below directory. No path leads outside of it, not even through a symbolic link.
// With directory "" any path can be named; relative ones start at the working directory.
func NewFiles(directory string) *Files {
	return &Files{directory: directory, versioner: newVersioner()}
}

// Secret reads the file.
func (f *Files) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", &SecretError{URI: uri, Kind: ErrSecretUnavailable, Problem: "was not read", Err: err}
	}
	value, err := f.read(uri)
	if err != nil {
		return nil, "", err
	}
	return value, f.versioner.version(uri, value), nil
}

func (f *Files) read(uri string) ([]byte, error) {
	fail := func(kind error, problem, hint string) ([]byte, error) {
		return nil, &SecretError{URI: uri, Kind: kind, Problem: problem, Hint: hint}
	}
	path := strings.TrimPrefix(uri, "file:")
	if after, ok := strings.CutPrefix(path, "//"); ok {
		path = after // file:///run/x is file:/run/x
	}
	stat, open := os.Stat, os.Open
	if f.directory != "" {
		root, err := os.OpenRoot(f.directory)
		if err != nil {
			return fail(ErrSecretUnavailable, "its directory cannot be opened", "check that it exists and is mounted")
		}
		defer func() { _ = root.Close() }()
		stat, open = root.Stat, root.Open
		if filepath.IsAbs(path) {
			if path, err = filepath.Rel(f.directory, path); err != nil {
				return fail(ErrSecretAccessDenied, "is outside of the secrets' directory", "name a file inside")
			}
		}
	}
	// Stat before open: opening a named pipe would wait for a writer.
	info, err := stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fail(ErrSecretInvalid, "is not a regular file", "name the file that holds the secret's JSON")
	}
	var file *os.File
	if err == nil {
		file, err = open(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(ErrSecretNotFound, "there is no such file", "check the path and that the volume is mounted")
	case errors.Is(err, fs.ErrPermission):
		return fail(ErrSecretAccessDenied, "the file may not be read by this process", "check its mode and owner")
	case err != nil:
		return fail(ErrSecretUnavailable, "the file cannot be opened", "check the path: "+pathCause(err))
	}
	defer func() { _ = file.Close() }()
	value, err := io.ReadAll(io.LimitReader(file, MaxSecretSize+1))
	if err != nil {
		return fail(ErrSecretUnavailable, "the file cannot be read", pathCause(err))
	}
	if len(value) > MaxSecretSize {
		return nil, tooLarge(uri, max(info.Size(), int64(len(value))))
	}
	return value, nil
}

// pathCause strips the path, which the error already names.
func pathCause(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// Env is a Secrets that reads environment variables. The URI is "env:" (or nothing) and the variable's name; the
// variable holds the secret's JSON. It is safe for concurrent use.
type Env struct{ versioner versioner }

// NewEnv returns an Env.
func NewEnv() *Env { return &Env{versioner: newVersioner()} }

// Secret reads the variable.
func (e *Env) Secret(_ context.Context, uri string) ([]byte, string, error) {
	value, ok := os.LookupEnv(strings.TrimPrefix(uri, "env:"))
	if !ok {
		return nil, "", &SecretError{URI: uri, Kind: ErrSecretNotFound, Problem: "the environment variable is not set",
			Hint: "set it for this process, to the secret's JSON"}
	}
	if len(value) > MaxSecretSize {
		return nil, "", tooLarge(uri, int64(len(value)))
	}
	return []byte(value), e.versioner.version(uri, []byte(value)), nil
}

// Static is a Secrets with fixed values, for tests and for programs that get their secrets in another way. It is safe
// for concurrent use.
type Static struct {
	values    map[string]Secret
	versioner versioner
}

// NewStatic returns a Static with values by URI, which it copies.
func NewStatic(values map[string]string) *Static {
	s := &Static{values: make(map[string]Secret, len(values)), versioner: newVersioner()}
	for uri, value := range values {
		s.values[uri] = NewSecret(value)
	}
	return s
}

// Secret looks uri up.
func (s *Static) Secret(_ context.Context, uri string) ([]byte, string, error) {
	secret, ok := s.values[uri]
	if !ok {
		return nil, "", &SecretError{URI: uri, Kind: ErrSecretNotFound, Problem: "is not among the static secrets",
			Hint: fmt.Sprintf("check the name; %d are known", len(s.values))}
	}
	value := []byte(secret.Reveal())
	if len(value) > MaxSecretSize {
		return nil, "", tooLarge(uri, int64(len(value)))
	}
	return value, s.versioner.version(uri, value), nil
}
