package kafkatest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A folder of jars holds the pom that it was fetched with and, written last, a manifest of sizes and names. It appears
// under its final name by one rename, complete. A folder that differs from its manifest is fetched again.
const (
	pomName      = "pom.xml"
	manifestName = "manifest"
	// The goal's version is fixed: a bare "dependency:" uses whatever version the machine's Maven knows.
	copyGoal     = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
	fetchTimeout = 8 * time.Minute
)

var errNotWhole = errors.New("not whole")

// jarsDir returns the folder that holds the jars of a version. It fetches them first unless the user's cache has them
// all. Test binaries that run in parallel fetch once: the others wait on a file lock.
func jarsDir(ctx context.Context, version string, r release) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	return fetchInto(ctx, filepath.Join(cache, "esm-kafka"), version, pomOf(r), mavenCopy)
}

func fetchInto(ctx context.Context, root, version string, pom []byte, fetch func(ctx context.Context, pom, dir string) error) (string, error) {
	dir := filepath.Join(root, version)
	if checkWhole(dir, pom) == nil {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(root, version+".lock"))
	if err != nil {
		return "", fmt.Errorf("lock the cache of Kafka's jars: %w", err)
	}
	defer unlock()
	if checkWhole(dir, pom) == nil { // another process was faster
		return dir, nil
	}
	tmp, err := os.MkdirTemp(root, version+".tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // gone already when all went well
	pomFile := filepath.Join(tmp, pomName)
	if err := os.WriteFile(pomFile, pom, 0o644); err != nil {
		return "", err
	}
	if err := fetch(ctx, pomFile, tmp); err != nil {
		return "", err
	}
	if err := writeManifest(tmp); err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", err
	}
	return dir, checkWhole(dir, pom)
}

func mavenCopy(ctx context.Context, pom, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("mvn fetches Kafka's jars once and is not on the PATH: install Maven: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", pom, copyGoal, "-DoutputDirectory="+dir)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch Kafka's jars with Maven: %w\n%s", err, tail(out, 4<<10))
	}
	return nil
}

func pomOf(r release) []byte {
	var b bytes.Buffer
	b.WriteString("<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>esm</groupId>\n  <artifactId>kafka-jars</artifactId>\n  <version>1</version>\n  <dependencies>\n")
	for _, jar := range r.jars {
		part := strings.SplitN(jar, ":", 3)
		b.WriteString("    <dependency>")
		for i, tag := range []string{"groupId", "artifactId", "version"} {
			fmt.Fprintf(&b, "<%s>", tag)
			_ = xml.EscapeText(&b, []byte(part[i])) // a bytes.Buffer accepts every write
			fmt.Fprintf(&b, "</%s>", tag)
		}
		b.WriteString("</dependency>\n")
	}
	b.WriteString("  </dependencies>\n</project>\n")
	return b.Bytes()
}

func writeManifest(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".jar" {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%d %s\n", info.Size(), e.Name())
	}
	if b.Len() == 0 {
		return fmt.Errorf("%w: no jar after Maven ended well", errNotWhole)
	}
	return os.WriteFile(filepath.Join(dir, manifestName), b.Bytes(), 0o644)
}

// checkWhole returns an error unless dir was fetched with this pom and holds every jar of its manifest at its size.
func checkWhole(dir string, pom []byte) error {
	have, err := os.ReadFile(filepath.Join(dir, pomName))
	if err != nil {
		return err
	}
	if !bytes.Equal(have, pom) {
		return fmt.Errorf("%s: %w: fetched by another pom", dir, errNotWhole)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(manifest)) {
		size, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		want, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w: manifest line %q", dir, errNotWhole, line)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() != want) {
			return fmt.Errorf("%s: %w: %s is missing or has another size", dir, errNotWhole, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}
