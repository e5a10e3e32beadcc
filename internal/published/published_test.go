package published

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// version is the version of the root that the nested modules require, and that the proxy serves of all modules.
const version = "v0.1.0"

func TestNestedModulesInstallFromAProxy(t *testing.T) {
	if os.Getenv("ESM_PUBLISHED") == "" {
		t.Skip("builds every nested module with all that it depends on; ESM_PUBLISHED=1 runs it")
	}
	root := strings.TrimSpace(string(run(t, "", nil, "git", "rev-parse", "--show-toplevel")))
	files := strings.Fields(string(run(t, root, nil, "git", "ls-files")))
	nested := nestedModules(files)
	if len(nested) == 0 {
		t.Fatal("found no nested module")
	}
	proxy := t.TempDir()
	for _, dir := range append([]string{"."}, nested...) {
		var own []string
		for _, f := range files {
			if owner(f, nested) == dir {
				own = append(own, f)
			}
		}
		serve(t, proxy, root, dir, own)
	}
	upstream := strings.TrimSpace(string(run(t, root, nil, "go", "env", "GOPROXY")))
	local := url.URL{Scheme: "file", Path: proxy}
	// Use a new module cache: a reused one would keep this version's first content.
	cache := t.TempDir()
	downloads := filepath.Join(strings.TrimSpace(string(run(t, root, nil, "go", "env", "GOMODCACHE"))), "cache", "download")
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GOMODCACHE="+cache, "GOBIN="+t.TempDir(), "GONOSUMDB=github.com/esm-go/*",
		"GOPROXY="+local.String()+",file://"+downloads+","+upstream)
	for _, dir := range nested {
		for _, pkg := range mains(t, root, dir) {
			t.Run(pkg, func(t *testing.T) {
				run(t, t.TempDir(), env, "go", "install", pkg+"@"+version)
			})
		}
	}
}

// nestedModules returns the directories below the root that are separate modules.
func nestedModules(files []string) []string {
	var dirs []string
	for _, f := range files {
		if path.Base(f) == "go.mod" && f != "go.mod" && !strings.Contains(f, "testdata/") {
			dirs = append(dirs, path.Dir(f))
		}
	}
	return dirs
}

// owner returns the directory of the module that a file belongs to: the innermost one if modules are nested.
func owner(file string, nested []string) string {
	inner := "."
	for _, dir := range nested {
		if strings.HasPrefix(file, dir+"/") && (inner == "." || len(dir) > len(inner)) {
			inner = dir
		}
	}
	return inner
}

// mains returns the commands of a module.
func mains(t *testing.T, root, dir string) []string {
	t.Helper()
	out := run(t, filepath.Join(root, dir), nil, "go", "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
	return strings.Fields(string(out))
}

// serve writes a module into a directory laid out as a module proxy.
func serve(t *testing.T, proxy, root, dir string, files []string) {
	t.Helper()
	name := path.Join("github.com/esm-go/esm", dir)
	at := filepath.Join(proxy, filepath.FromSlash(name), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(mod, []byte("\nreplace ")) {
		t.Errorf("%s/go.mod has a replace directive, which go install refuses", dir)
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, f := range files {
		in, err := os.Open(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Create(name + "@" + version + "/" + strings.TrimPrefix(strings.TrimPrefix(f, dir), "/"))
		if err == nil {
			_, err = io.Copy(out, in)
		}
		if err := errors.Join(err, in.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for ext, content := range map[string][]byte{
		".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version),
		".mod":  mod,
		".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(at, version+ext), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(at, "list"), []byte(version+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir string, env []string, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, stderr.Bytes())
	}
	return out
}
