package repeat

import (
	"fmt"
	"testing"
	"time"
)

func TestFirst(t *testing.T) {
	var l Lines
	begin := time.Unix(1000, 0)
	for _, c := range []struct {
		key    string
		after  time.Duration
		ok     bool
		unsaid int
	}{
		{"a", 0, true, 0}, {"a", time.Second, false, 0}, {"b", time.Second, true, 0}, {"a", 59 * time.Second, false, 0},
		{"a", time.Minute, true, 2}, {"a", 61 * time.Second, false, 0}, {"b", 61 * time.Second, true, 0}, {"a", 10 * time.Minute, true, 1}, {"a", 20 * time.Minute, true, 0},
	} {
		if ok, unsaid := l.First(c.key, begin.Add(c.after)); ok != c.ok || unsaid != c.unsaid {
			t.Errorf("%s after %v: %t, %d; want %t, %d", c.key, c.after, ok, unsaid, c.ok, c.unsaid)
		}
	}
	for i := range 10 * most {
		if ok, _ := l.First(fmt.Sprint(i), begin.Add(time.Hour)); !ok {
			t.Errorf("line %d was held back", i)
		}
	}
	if len(l.said) > most {
		t.Errorf("%d lines are remembered", len(l.said))
	}
	if ok, _ := l.First("later", begin.Add(2*time.Hour)); !ok || len(l.said) != 1 {
		t.Errorf("old ones were not forgotten: %d", len(l.said))
	}
}
