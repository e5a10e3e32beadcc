package lookup

import (
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// Answer is what a lookup found for one partition that is still assigned.
type Answer struct {
	Of    *partition.Partition
	Found *start.Answer
}

// Outcome is what the answer to a lookup means for its partitions.
type Outcome struct {
	// Found has the starts and moves that were found.
	Found []Answer
	// Again are the partitions to ask for again, because they had no answer. Failure is the reason, or the error of the
	// lookup as a whole.
	Again   []*partition.Partition
	Failure error
}

// Take applies the answer to a lookup. It skips partitions that are no longer assigned: an answer is valid only for the
// assignment that asked. If a start needs a second lookup, Take queues it.
func (l *Lookups) Take(a *Lookup) Outcome {
	l.underWay--
	o := Outcome{Failure: a.Err}
	if a.Kind == start.Seek {
		a.Then(a)
		return Outcome{}
	}
	open := Lookup{Question: start.Question{Kind: start.Offsets, Tries: a.Tries}, wanted: make(map[*partition.Partition]start.Answer)}
	for i, p := range a.Parts {
		f := &a.Found[i]
		if !p.Alive || p.Phase == partition.Draining {
			continue
		}
		if a.Err != nil || f.Err != nil {
			o.Again = append(o.Again, p)
			if o.Failure == nil {
				o.Failure = f.Err
			}
			continue
		}
		switch a.Kind {
		case start.Begin, start.Offsets, start.Move:
			if f.Open {
				open.Parts = append(open.Parts, p)
				open.wanted[p] = *f
				continue
			}
			o.Found = append(o.Found, Answer{p, f})
		}
	}
	if len(open.Parts) > 0 {
		l.Add(open)
	}
	switch a.Kind {
	case start.IDs:
		l.checkFailed = a.Err != nil && !a.Reported
		if !a.Reported {
			l.checking = false
			o.Again, o.Failure = nil, a.Err // the next check follows at its interval
		}
	case start.Others:
		o.Again = nil
	}
	return o
}
