package observe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// many returns a number with its noun: "1 record", "2 records".
func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// blockersShown is how many partitions String names.
const blockersShown = 10

// String returns a page that an operator can paste into a ticket: the mapping's state, its problems, the slow
// invocations, and the partitions that block. It contains no secrets and no record values, and keys only with
// WithHeadKeys.
func (s Status) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	name := s.FunctionName
	if name == "" {
		name = s.UUID
	}
	line("%s (group %s, UUID %s, driver %s): %s since %s", name, s.ConsumerGroupId, s.UUID, s.Driver, s.State, s.LastModified.Format(time.RFC3339))
	line("LastProcessingResult: %s", s.LastProcessingResult)
	line("as of %s: %d of %s busy, %s, %s, lag %d (most %d), oldest record %v, %d of %d bytes buffered", s.Time.Format(time.RFC3339),
		s.InFlight, many(s.Workers, "worker"), many(s.Pollers, "poller"), many(len(s.Partitions), "partition"), s.SumOffsetLag, s.MaxOffsetLag, round(s.OldestAge), s.BufferedBytes, s.BufferLimit)
	if s.Scaling.Policy != "" {
		line("scaling: %s", s.Scaling.Reason)
	}
	c := &s.Credentials
	if c.Protocol != "" {
		line("connects: %s", strings.Join(slices.DeleteFunc([]string{c.Protocol, c.Mechanism, c.Principal}, func(x string) bool { return x == "" }), " "))
	}
	if c.InUse != "" {
		line("credentials: %s since %s", c.InUse, c.Since.Format(time.RFC3339))
		if !c.Expires.IsZero() {
			line("certificate: %s left", many(c.DaysLeft, "day"))
		}
		if c.Err != nil {
			line("newest credentials are not used: %s", oneLine(c.Err))
		}
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		line("condition: %s, seen %s", strings.Join(strings.Fields(c.String()), " "), many(c.Count, "time"))
	}
	if d := &s.Diagnosis; d.Known() {
		line("diagnosis: %s %s: %s", d.Cause, d.Detail, d.Hint)
	}
	for i := range s.Slow {
		line("slow: %s", &s.Slow[i])
	}
	if d := &s.Destination; d.Failing > 0 {
		line("destination %s: the last send of %s failed", d.Name, many(d.Failing, "batch part"))
	}
	blockers := s.WhoBlocks()
	for i := range blockers[:min(len(blockers), blockersShown)] {
		line("blocked: %s", blockers[i].headText(s.Time))
	}
	if n := len(blockers) - blockersShown; n > 0 {
		line("blocked: %s more", many(n, "partition"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
