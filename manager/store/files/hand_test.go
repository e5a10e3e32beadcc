package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/manager/store"
)

// watch returns the reports of a Watch.
func watch(t *testing.T, s *Store) <-chan store.Change {
	t.Helper()
	told := make(chan store.Change, 100)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func(c store.Change) { told <- c }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return told
}

func next(t *testing.T, told <-chan store.Change) store.Change {
	t.Helper()
	select {
	case c := <-told:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is told")
		return store.Change{}
	}
}

func edit(t *testing.T, directory, name, text string) {
	t.Helper()
	// Save as editors do: otherwise a scan may see a half-written file, which is reported and then resolved.
	half := filepath.Join(directory, "."+name+"~")
	if err := errors.Join(os.WriteFile(half, []byte(text), 0o600), os.Rename(half, filepath.Join(directory, name))); err != nil {
		t.Fatal(err)
	}
}

const byHand = `{
  "FunctionName": "orders", "Topics": ["orders"], "BatchSize": 5,
  "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["broker:9092"]}}
}`

// TestByHand acts as a person with an editor.
func TestByHand(t *testing.T) {
	directory := t.TempDir()
	s := open(t, directory)
	told := watch(t, s)
	if mark := next(t, told); mark.UUID != "" {
		t.Fatalf("%+v", mark)
	}
	edit(t, directory, "notes.txt", "no mapping")
	edit(t, directory, "orders.json", byHand)
	added := next(t, told)
	if added.Definition == nil || added.Definition.Mapping.BatchSize != 5 || len(added.UUID) != 36 {
		t.Fatalf("%+v", added)
	}
	edit(t, directory, "orders.json", strings.Replace(byHand, "5", "6", 1))
	if c := next(t, told); c.UUID != added.UUID || c.Definition.Mapping.BatchSize != 6 {
		t.Errorf("%+v", c)
	}
	// An unreadable file is reported, and its mapping continues unchanged.
	edit(t, directory, "orders.json", strings.Replace(byHand, `"BatchSize": 5,`, `"BatchSize": 5`, 1))
	c := next(t, told)
	if c.Problem == nil || c.Problem.Source != "orders.json" || !strings.Contains(c.Problem.Err.Error(), "line 3, column ") {
		t.Errorf("%+v", c.Problem)
	}
	list, revision, err := s.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Mapping.BatchSize != 6 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := s.Put(t.Context(), list[0], revision); err == nil || !strings.Contains(err.Error(), "orders.json is left as it is") {
		t.Errorf("a Put over an unreadable file: %v", err)
	}
	edit(t, directory, "orders.json", strings.Replace(byHand, "5", "7", 1))
	if c := next(t, told); c.Problem == nil || c.Problem.Err != nil {
		t.Errorf("%+v", c)
	}
	if c := next(t, told); c.Definition.Mapping.BatchSize != 7 {
		t.Errorf("%+v", c)
	}
	// A Put keeps the file's name.
	list, revision, _ = s.List(t.Context())
	list[0].Mapping.BatchSize = 8
	if _, err := s.Put(t.Context(), list[0], revision); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(directory, "orders.json"))
	if err != nil || !strings.Contains(string(text), "\n  \"BatchSize\": 8") {
		t.Errorf("%s %v", text, err)
	}
	next(t, told)
	if err := os.Remove(filepath.Join(directory, "orders.json")); err != nil {
		t.Fatal(err)
	}
	if c := next(t, told); c.UUID != added.UUID || c.Definition != nil {
		t.Errorf("%+v", c)
	}
}

// TestUnseenEdit: a write never replaces an edit that has not been seen yet.
func TestUnseenEdit(t *testing.T) {
	directory := t.TempDir()
	s := open(t, directory)
	since, err := s.Put(t.Context(), definition(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	name := uuid + ".json"
	text, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	edit(t, directory, name, strings.Replace(string(text), `"BatchSize": 1`, `"BatchSize": 4`, 1)) // the same size
	if _, err := s.Put(t.Context(), definition(2), since); !errors.Is(err, store.ErrConflict) {
		t.Errorf("%v", err)
	}
	if list, _, _ := s.List(t.Context()); list[0].Mapping.BatchSize != 4 {
		t.Errorf("the edit is lost: %+v", list)
	}
}

func TestLeftAlone(t *testing.T) {
	newer := `{"FormatVersion": 2, "UUID": "` + uuid + `", "Novelty": true}`
	for name, test := range map[string]struct{ text, want string }{
		"newer":       {newer, "written by a newer version of esm: FormatVersion is 2"},
		"torn":        {byHand[:60], "line 2"},
		"empty":       {"", "unexpected end"},
		"unknown":     {`{"FunctionName":"f","Topics":["t"],"Batchsize":1}`, "AWS writes BatchSize"},
		"no UUID":     {`{"Topics":["t"]}`, "want a UUID"},
		"bad UUID":    {`{"UUID":"../../etc/passwd","FunctionName":"f"}`, "want a UUID"},
		"not mapping": {`[1]`, "cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			edit(t, directory, uuid+".json", test.text)
			s := open(t, directory)
			c := next(t, watch(t, s))
			if c.Problem == nil || !strings.Contains(c.Problem.Err.Error(), test.want) {
				t.Errorf("%v, want %s", c.Problem, test.want)
			}
			if list, revision, err := s.List(t.Context()); err != nil || len(list) != 0 || revision != 0 {
				t.Error(list, revision, err)
			}
			if _, err := s.Put(t.Context(), definition(1), 0); err == nil {
				t.Error("a Put goes over it")
			}
			if text, _ := os.ReadFile(filepath.Join(directory, uuid+".json")); string(text) != test.text {
				t.Errorf("it has become %s", text)
			}
		})
	}
}

func TestSameUUIDTwice(t *testing.T) {
	directory := t.TempDir()
	edit(t, directory, "a.json", byHand)
	edit(t, directory, "b.json", byHand)
	s := open(t, directory)
	told := watch(t, s)
	if c := next(t, told); c.Problem == nil || c.Problem.Source != "b.json" || !strings.Contains(c.Problem.Err.Error(), "of a.json") {
		t.Errorf("%+v", c)
	}
	next(t, told) // a.json
	next(t, told) // mark
	if err := os.Remove(filepath.Join(directory, "a.json")); err != nil {
		t.Fatal(err)
	}
	for { // b.json takes over the mapping
		if c := next(t, told); c.Definition != nil {
			break
		}
	}
	if list, _, _ := s.List(t.Context()); len(list) != 1 {
		t.Error(list)
	}
}

func TestReadOnly(t *testing.T) {
	directory := t.TempDir()
	edit(t, directory, "a.json", byHand)
	s, other := open(t, directory, ReadOnly()), open(t, directory, ReadOnly())
	for _, s := range []*Store{s, other} {
		list, revision, err := s.List(t.Context())
		if err != nil || len(list) != 1 {
			t.Error(list, err)
		}
		if _, err := s.Put(t.Context(), definition(1), revision); !errors.Is(err, store.ErrReadOnly) {
			t.Error(err)
		}
	}
	if names, _ := os.ReadDir(directory); len(names) != 1 {
		t.Errorf("a read-only store wrote %v", names)
	}
}
