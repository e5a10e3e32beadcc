package lookup

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

var errPartition = errors.New("there is no such partition")

// An answer is valid only for the assignment that asked; partitions that are no longer assigned ignore it.
func TestAnswersOfPartitionsThatWent(t *testing.T) {
	for name, fail := range map[string]func(one *Lookup){
		"found":     func(*Lookup) {},
		"no answer": func(one *Lookup) { one.Err = errBroker },
		"an error of each": func(one *Lookup) {
			for i := range one.Found {
				one.Found[i].Err = errPartition
			}
		},
		"open": func(one *Lookup) {
			for i := range one.Found {
				one.Found[i].Open = true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, now := prepared(0), time.Now()
			lives, goes, gone := living(0, partition.Starting), living(1, partition.Starting), living(2, partition.Starting)
			l.Add(question(start.Begin, lives, goes, gone))
			one := putOne(t, l, now, nil)
			for i := range one.Found {
				one.Found[i].Offset = int64(10 + i)
			}
			fail(one)
			goes.Phase, gone.Alive = partition.Draining, false
			later := living(2, partition.Starting) // the next assignment of the one that went
			o := l.Take(one)
			open, _ := advance(l, now, nil)
			var named []int32
			for _, next := range open {
				named = append(named, numbers(next.Parts)...)
			}
			if all := slices.Concat(found(o), numbers(o.Again), named); !slices.Equal(all, []int32{0}) {
				t.Errorf("found %v, again %v, asked for next %v: want 0 in one of them", found(o), numbers(o.Again), named)
			}
			if len(o.Found) == 1 && (o.Found[0].Of != lives || o.Found[0].Found.Offset != 10 || o.Failure != nil) {
				t.Errorf("found %+v", o.Found[0].Found)
			}
			if later.Found != nil || later.Phase != partition.Starting {
				t.Error("an answer of an earlier assignment changed a later one")
			}
		})
	}
}

// Errors of some partitions do not affect the answers for others. The Outcome names the partitions to look up again, and why.
func TestErrorsOfPartitions(t *testing.T) {
	for _, kind := range []start.Kind{start.Begin, start.Offsets, start.Move} {
		l, parts := prepared(0), list(3)
		l.Add(question(kind, parts...))
		one := putOne(t, l, time.Now(), nil)
		one.Found[1].Err = errPartition
		o := l.Take(one)
		if !slices.Equal(found(o), []int32{0, 2}) || !slices.Equal(numbers(o.Again), []int32{1}) || !errors.Is(o.Failure, errPartition) {
			t.Errorf("kind %d: found %v, again %v: %v", kind, found(o), numbers(o.Again), o.Failure)
		}
	}
	l, parts := prepared(0), list(3)
	l.Add(question(start.Begin, parts...))
	one := putOne(t, l, time.Now(), nil)
	one.Err, one.Found[1].Err = errBroker, errPartition
	if o := l.Take(one); len(o.Found) != 0 || len(o.Again) != 3 || !errors.Is(o.Failure, errBroker) {
		t.Errorf("a question that failed as a whole: found %v, again %v: %v", found(o), numbers(o.Again), o.Failure)
	}
}

// A start that needs an offset is looked up next, with what was found so far. Other partitions start without waiting.
func TestOpenStarts(t *testing.T) {
	l, now := prepared(0), time.Now()
	parts := list(3)
	first := question(start.Begin, parts...)
	first.Tries = 2
	l.Add(first)
	one := putOne(t, l, now, nil)
	for i := range one.Found {
		one.Found[i] = start.Answer{Offset: 5, Committed: -1, At: -2, Open: i != 1, Note: start.Note{Partitions: int32(10 + i)}}
	}
	if o := l.Take(one); !slices.Equal(found(o), []int32{1}) || len(o.Again) != 0 || o.Failure != nil {
		t.Fatalf("found %v, again %v: %v", found(o), numbers(o.Again), o.Failure)
	}
	parts[0].Alive = false
	next := putOne(t, l, now, nil)
	if next.Kind != start.Offsets || next.Tries != 2 || !slices.Equal(numbers(next.Parts), []int32{2}) {
		t.Fatalf("asked for next: %+v", next.Question)
	}
	if f := next.Found[0]; f.At != -2 || !f.Open || f.Note.Partitions != 12 {
		t.Errorf("what was found so far is %+v", f)
	}
	next.Found[0].Open, next.Found[0].Offset = false, 40
	if o := l.Take(next); !slices.Equal(found(o), []int32{2}) || o.Found[0].Found.Offset != 40 || o.Found[0].Found.Note.Partitions != 12 {
		t.Errorf("found %v: %+v", found(o), o.Found)
	}
}

// A failed lookup is retried at its time, for the partitions without an answer. If a broker was slow, it is split. If only offsets
// were open, it restarts from the beginning, because what was found before may no longer hold.
func TestAgain(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		failed Lookup
		again  int32
		want   []int // how many partitions each question names
		kind   start.Kind
	}{
		"starts":             {question(start.Begin), 20, []int{20}, start.Begin},
		"open offsets":       {question(start.Offsets), 20, []int{20}, start.Begin},
		"a move":             {Lookup{Question: start.Question{Kind: start.Move, From: 9, To: 4}}, 1, []int{1}, start.Move},
		"reported anew":      {Lookup{Question: start.Question{Kind: start.IDs}, Reported: true}, 2, []int{2}, start.IDs},
		"topics":             {question(start.Topics), 0, []int{0}, start.Topics},
		"a slow broker":      {Lookup{Question: start.Question{Kind: start.Offsets, Slow: true}}, 20, []int{3, 3, 3, 3, 3, 3, 2}, start.Begin},
		"slow for a few":     {Lookup{Question: start.Question{Kind: start.Begin, Slow: true}}, 3, []int{1, 1, 1}, start.Begin},
		"slow for one":       {Lookup{Question: start.Question{Kind: start.Begin, Slow: true}}, 1, []int{1}, start.Begin},
		"everything is gone": {question(start.Begin), 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l, parts := prepared(0), list(c.again)
			c.failed.Tries = 4
			c.failed.Err = errBroker
			l.Again(c.failed, parts, now.Add(time.Second))
			if put, _ := advance(l, now.Add(time.Second-1), nil); len(put) != 0 {
				t.Fatal("asked again before its time")
			}
			var all []int32
			var sizes []int
			for range len(c.want) + 1 {
				put, _ := advance(l, now.Add(time.Second), nil)
				for _, one := range put {
					sizes = append(sizes, len(one.Parts))
					all = append(all, numbers(one.Parts)...)
					if one.Kind != c.kind || one.Tries != 5 || one.Err != nil || one.From != c.failed.From || one.To != c.failed.To || one.Reported != c.failed.Reported {
						t.Errorf("asked again: %+v", one)
					}
					l.Take(one)
				}
			}
			if !slices.Equal(sizes, c.want) || !slices.Equal(all, numbers(parts)) {
				t.Errorf("asked again for %v, in questions for %v", all, sizes)
			}
		})
	}
}

// The pause before a retry doubles from 100 ms to 5 s.
func TestPause(t *testing.T) {
	l := prepared(0)
	for i, ms := range []int{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		if got, want := l.Pause(i+1), time.Duration(ms)*time.Millisecond; got != want {
			t.Errorf("the pause before try %d after the first is %v, want %v", i+1, got, want)
		}
	}
}

// The answer to a Seek goes only to its caller, even if it is an error.
func TestSeekAnswers(t *testing.T) {
	for _, err := range []error{nil, errBroker} {
		l, now := prepared(0), time.Now()
		p := living(0, partition.Running)
		var told *Lookup
		one := question(start.Seek, p)
		one.Then = func(a *Lookup) { told = a }
		l.Add(one)
		put := putOne(t, l, now, nil)
		put.Err = err
		p.Alive = false
		o := l.Take(put)
		if told != put || len(o.Found)+len(o.Again) != 0 || o.Failure != nil {
			t.Errorf("told %+v; it means %+v", told, o)
		}
		if put, _ := advance(l, now.Add(time.Hour), nil); len(put) != 0 || l.Failing() {
			t.Error("a Seek is asked again by itself")
		}
	}
}

// A failed periodic check of topic ids is not retried, because the next one follows. One that the client's report caused is.
func TestFailedChecks(t *testing.T) {
	for name, c := range map[string]struct {
		kind     start.Kind
		reported bool
		whole    bool
		again    []int32
		told     bool
	}{
		"a check":                       {start.IDs, false, true, nil, true},
		"a check, of one":               {start.IDs, false, false, nil, false},
		"reported":                      {start.IDs, true, true, []int32{0, 1}, true},
		"reported, of one":              {start.IDs, true, false, []int32{0}, true},
		"commits of other mappings":     {start.Others, false, true, nil, true},
		"commits of others, of one":     {start.Others, false, false, nil, true},
		"where to go on, for the whole": {start.Move, false, true, []int32{0, 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := prepared(0)
			one := question(c.kind, living(0, partition.Running), living(1, partition.Running))
			one.Reported = c.reported
			l.Add(one)
			put := putOne(t, l, time.Now(), nil)
			if c.whole {
				put.Err = errBroker
			} else {
				put.Found[0].Err = errPartition
			}
			if o := l.Take(put); !slices.Equal(numbers(o.Again), c.again) || (o.Failure != nil) != c.told {
				t.Errorf("again %v: %v", numbers(o.Again), o.Failure)
			}
		})
	}
}
