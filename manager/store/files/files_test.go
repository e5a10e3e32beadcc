package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/storetest"
)

func TestMain(m *testing.M) {
	if step := os.Getenv("ESM_FILES_TEST_DIE_AT"); step != "" {
		dieAt(step)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, directory string, opts ...Option) *Store {
	t.Helper()
	s, err := Open(directory, append([]Option{WithPollInterval(5 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		directory := t.TempDir()
		s := open(t, directory)
		return storetest.Opened{Store: s, Reopen: func(t *testing.T) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, directory)
		}}
	})
}

const uuid = "00000000-0000-4000-8000-000000000001"

func definition(batchSize int) store.Definition {
	return store.Definition{Mapping: esm.Mapping{
		UUID: uuid, FunctionName: "f", Topics: []string{"t"}, BatchSize: batchSize,
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:1"}}},
	}}
}

// dieAt puts a second definition into a directory, and kills the process at a step of the write.
func dieAt(step string) {
	s, err := Open(os.Getenv("ESM_FILES_TEST_DIRECTORY"))
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	s.between = func(at string) {
		if at == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	_, since, _ := s.List(context.Background())
	_, err = s.Put(context.Background(), definition(2), since)
	fmt.Println(err)
	os.Exit(4)
}

// TestKilledAtEveryStep ends a process with SIGKILL between any two steps of a write: afterwards the directory has
// either the old or the new definition, complete, and nothing else.
func TestKilledAtEveryStep(t *testing.T) {
	for step, want := range map[string]int{"created": 1, "torn": 1, "written": 1, "synced": 1, "renamed": 2} {
		t.Run(step, func(t *testing.T) {
			directory := t.TempDir()
			s := open(t, directory)
			if _, err := s.Put(t.Context(), definition(1), 0); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "ESM_FILES_TEST_DIE_AT="+step, "ESM_FILES_TEST_DIRECTORY="+directory)
			output, err := child.CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the child was not killed: %v %s", err, output)
			}
			again := open(t, directory)
			list, since, err := again.List(t.Context())
			if err != nil || len(list) != 1 || list[0].Mapping.BatchSize != want {
				t.Fatalf("%v %v, want batch size %d", list, err, want)
			}
			names, _ := os.ReadDir(directory)
			if len(names) != 2 { // the definition and the lock
				t.Errorf("left behind: %v", names)
			}
			if _, err := again.Put(t.Context(), definition(3), since); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFullDisk writes to a file system of 64 KB until it is full: each write succeeds completely or changes nothing.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs to mount a small file system")
	}
	directory := t.TempDir()
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory).Run(); err != nil {
		t.Skip("this machine mounts no tmpfs:", err)
	}
	defer func() { _ = exec.Command("umount", directory).Run() }()
	s := open(t, directory)
	defer func() { _ = s.Close() }()
	d, revision, written := definition(1), store.Revision(0), 0
	full := false
	for i := range 60 {
		d.Mapping.BatchSize = i + 1
		d.Mapping.Tags = map[string]string{}
		for k := range 20 + 10*i {
			d.Mapping.Tags[fmt.Sprintf("key-%d", k)] = strings.Repeat("x", 250)
		}
		r, err := s.Put(t.Context(), d, revision)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			full = true
			break
		}
		revision, written = r, i+1
	}
	list, at, err := s.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Mapping.BatchSize != written || at != revision || !full {
		t.Fatalf("full %v, wrote up to %d at %d; it has %v at %d: %v", full, written, revision, len(list), at, err)
	}
	names, _ := os.ReadDir(directory)
	if len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
	if _, err := s.Put(t.Context(), definition(9999), revision); err != nil { // a small one fits again
		t.Error(err)
	}
}

func TestTwoProcesses(t *testing.T) {
	directory := t.TempDir()
	s := open(t, directory)
	if _, err := Open(directory); !errors.Is(err, errLocked) {
		t.Errorf("a second Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, directory)
	if _, err := s.Put(t.Context(), definition(1), 0); err == nil {
		t.Error("a closed store takes writes")
	}
}
