package kafkatest

import (
	"context"
	"encoding/xml"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// fetcher writes two jars, like Maven, and counts its calls.
func fetcher(n *atomic.Int32) func(context.Context, string, string) error {
	return func(_ context.Context, _, dir string) error {
		n.Add(1)
		for _, name := range []string{"a.jar", "b c.jar"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestFetchOnceAndAgainWhenBroken(t *testing.T) {
	root, pom := t.TempDir(), []byte("<project/>")
	var fetched atomic.Int32
	get := func(pom []byte) string {
		t.Helper()
		dir, err := fetchInto(t.Context(), root, "1.0", pom, fetcher(&fetched))
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := fetchInto(t.Context(), root, "1.0", pom, fetcher(&fetched)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := fetched.Load(); n != 1 {
		t.Fatalf("8 at once fetched %d times, want 1", n)
	}
	dir := get(pom)
	damage := map[string]func() error{
		"missing jar":   func() error { return os.Remove(filepath.Join(dir, "b c.jar")) },
		"cut jar":       func() error { return os.Truncate(filepath.Join(dir, "a.jar"), 1) },
		"no manifest":   func() error { return os.Remove(filepath.Join(dir, manifestName)) },
		"bad manifest":  func() error { return os.WriteFile(filepath.Join(dir, manifestName), []byte("x\n"), 0o600) },
		"another's pom": func() error { return os.WriteFile(filepath.Join(dir, pomName), nil, 0o600) },
	}
	want := int32(1)
	for what, do := range damage {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		want++
		get(pom)
		if n := fetched.Load(); n != want {
			t.Errorf("after %s: fetched %d times, want %d", what, n, want)
		}
		get(pom)
	}
	if n := fetched.Load(); n != want {
		t.Errorf("a whole folder was fetched again")
	}
	left, err := filepath.Glob(filepath.Join(root, "*.tmp-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}

func TestPomIsXML(t *testing.T) {
	for v, r := range releases() {
		var p struct {
			Dependencies []struct {
				GroupID string `xml:"groupId"`
				Version string `xml:"version"`
			} `xml:"dependencies>dependency"`
		}
		if err := xml.Unmarshal(pomOf(r), &p); err != nil {
			t.Errorf("%s: %v", v, err)
			continue
		}
		if len(p.Dependencies) != len(r.jars) || p.Dependencies[0].Version != v {
			t.Errorf("%s: pom has %+v", v, p.Dependencies)
		}
	}
}
