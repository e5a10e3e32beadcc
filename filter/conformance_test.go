package filter

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// conformanceEnv names a file of JSON lines with recorded verdicts of AWS and its open-source engine: pattern
// and event (raw text, over whole events), match (true, false or "exception") and, if the verdict depends on
// a detail of an engine, quirk.
const conformanceEnv = "ESM_FILTER_CONFORMANCE"

func TestConformance(t *testing.T) {
	path := os.Getenv(conformanceEnv)
	if path == "" {
		t.Skipf("set %s to a file of recorded verdicts to run this", conformanceEnv)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	var scratch Scratch
	run, quirks := 0, 0
	for lines.Scan() {
		var c struct {
			Name, Pattern, Event, Quirk string
			Match                       any
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		run++
		got := verdictOf(&scratch, c.Pattern, c.Event)
		if want := fmt.Sprint(c.Match); got != want {
			if c.Quirk != "" {
				quirks++
				t.Logf("%s: %s instead of %s, as documented (%s)", c.Name, got, want, c.Quirk)
				continue
			}
			t.Errorf("%s: got %s, want %s\npattern %s\nevent %s", c.Name, got, want, c.Pattern, c.Event)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if run == 0 {
		t.Fatal("no line in the file")
	}
	t.Logf("%d lines, %d quirks answered otherwise", run, quirks)
}

func verdictOf(scratch *Scratch, pattern, event string) string {
	set, err := CompileEvent([]string{pattern})
	if err != nil {
		return "exception"
	}
	return fmt.Sprint(set.Match(scratch, []byte(event)) == Matched)
}
