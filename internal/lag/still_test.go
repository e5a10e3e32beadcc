package lag

import (
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/internal/partition"
)

// A partition that has more records, none of which arrive, stands still after a minute, until a record arrives or none is
// expected any longer. Each change is reported once.
func TestStill(t *testing.T) {
	const offset = 40
	for name, ends := range map[string]func(p *partition.Partition) (expected bool){
		"something comes":     func(p *partition.Partition) bool { p.Next++; return true },
		"it goes back":        func(p *partition.Partition) bool { p.Next--; return true },
		"nothing is expected": func(*partition.Partition) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			now, p, expected := time.Now(), running(0, 0, offset, 90), true
			var s Still
			look := func(after time.Duration) (bool, error) {
				return s.Look(now.Add(after), held(p), func(*partition.Partition) bool { return expected })
			}
			for _, after := range []time.Duration{0, 30 * time.Second, time.Minute - 1} {
				if changed, err := look(after); changed || err != nil {
					t.Fatalf("after %v: %t, %v", after, changed, err)
				}
			}
			changed, err := look(time.Minute)
			if !changed || err == nil || !strings.Contains(err.Error(), "1 partition but") || !strings.Contains(err.Error(), "t-0 has been at offset 40 of 90 since "+now.Format(time.RFC3339)) {
				t.Fatalf("after a minute: %t, %v", changed, err)
			}
			if changed, err := look(2 * time.Minute); changed || err != nil {
				t.Fatalf("told again: %t, %v", changed, err)
			}
			expected = ends(p)
			if changed, err := look(3 * time.Minute); !changed || err != nil {
				t.Fatalf("it does not stand still any more: %t, %v", changed, err)
			}
			expected = true
			if changed, err := look(4*time.Minute - 1); changed || err != nil {
				t.Fatalf("it stands still again within a minute: %t, %v", changed, err)
			}
			if changed, err := look(5 * time.Minute); !changed || err == nil {
				t.Fatalf("it stands still again: %t, %v", changed, err)
			}
		})
	}
}

// Of several partitions that stand still, the report names the one that has stood still the longest, or the first by name. A
// different number of partitions, or a different name, is a change.
func TestSeveralStandStill(t *testing.T) {
	now := time.Now()
	a, b, c := running(0, 0, 1, 9), running(1, 0, 2, 9), running(2, 0, 3, 9)
	var s Still
	all := func(*partition.Partition) bool { return true }
	look := func(after time.Duration, parts ...*partition.Partition) string {
		t.Helper()
		changed, err := s.Look(now.Add(after), held(parts...), all)
		if changed != (err != nil) {
			t.Errorf("after %v: %t, %v", after, changed, err)
		}
		if err == nil {
			return ""
		}
		return err.Error()
	}
	look(0, b, c)
	look(time.Second, a, b, c)
	wants := func(got string, all ...string) {
		t.Helper()
		for _, want := range all {
			if !strings.Contains(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
	}
	wants(look(time.Minute, a, b, c), "2 partitions", "t-1 has been at offset 2 of 9")
	wants(look(time.Minute+time.Second, a, b, c), "3 partitions", "t-1 has been")
	if got := look(2*time.Minute, a, b, c); got != "" {
		t.Errorf("told again: %q", got)
	}
	b.Next++
	wants(look(3*time.Minute, a, b, c), "2 partitions", "t-2 has been at offset 3 of 9")
	wants(look(4*time.Minute, a, b, c), "3 partitions", "t-2 has been")
	c.Next++
	wants(look(5*time.Minute, a, b, c), "2 partitions", "t-0 has been at offset 1 of 9")
	a.Next++ // as c begins to stand still again
	wants(look(6*time.Minute, a, b, c), "2 partitions", "t-1 has been at offset 3 of 9")
}
