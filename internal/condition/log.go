package condition

import (
	"context"
	"log/slog"
	"time"

	"github.com/esm-go/esm/observe"
)

// lines writes the log lines about conditions: one when a condition begins, when its result changes and when it ends, as
// long as they are few. In addition it writes one a minute while any condition stands, or if some began and ended without
// a line.
type lines struct {
	log   *slog.Logger
	few   allowance
	ready []func() // to be written when the lock is released
	// unsaid counts conditions that ended without their own line since the last line of the minute.
	unsaid int
	minute time.Time // of the next such line; zero when nothing stands
}

const (
	// fewLines is how many lines about single conditions may be written at once, and one more every oneMoreEach. With the
	// line of the minute that is at most four in any minute, which leaves two to clients and rebalances.
	fewLines    = 2
	oneMoreEach = 30 * time.Second
	// lineEvery is the time between two lines that list the standing conditions.
	lineEvery = time.Minute
)

func (l *lines) init(log *slog.Logger) {
	l.log, l.few = log, allowance{most: fewLines, each: oneMoreEach}
}

// take returns the lines that are to be written.
func (l *lines) take() []func() {
	ready := l.ready
	l.ready = nil
	return ready
}

func (l *lines) add(level slog.Level, what string, attrs ...slog.Attr) {
	l.ready = append(l.ready, func() { l.log.LogAttrs(context.Background(), level, what, attrs...) })
}

// write writes a line about a condition. It returns false if there have been too many.
func (l *lines) write(now time.Time, what string, c observe.Condition) bool {
	if l.minute.IsZero() {
		l.minute = now.Add(lineEvery)
	}
	if ok, _ := l.few.take(now); !ok {
		return false
	}
	l.add(slog.LevelWarn, what, attrs(&c)...)
	return true
}

// mention writes a line about an error that is not a standing condition.
func (l *lines) mention(now time.Time, c observe.Condition) {
	if ok, _ := l.few.take(now); ok {
		l.add(slog.LevelWarn, "event source", attrs(&c)...)
	}
}

// ended writes the line for a condition's end.
func (l *lines) ended(now time.Time, s *standing) {
	said := s.told
	if said {
		said, _ = l.few.take(now)
	}
	if !said {
		l.unsaid++
		return
	}
	l.add(slog.LevelInfo, "event source: a condition has ended", append(attrs(&s.Condition), slog.Duration("lasted", now.Sub(s.Since)),
		slog.Int("count", s.Count))...)
}

// everyMinute writes the line of the minute when it is due, about all, the conditions sorted worst first. It returns when
// the next one is due, zero if there is nothing to report.
func (l *lines) everyMinute(now time.Time, all []observe.Condition) time.Time {
	if l.minute.IsZero() || now.Before(l.minute) {
		return l.minute
	}
	if len(all) == 0 && l.unsaid == 0 {
		l.minute = time.Time{}
		return l.minute
	}
	l.minute = now.Add(lineEvery)
	more := []slog.Attr{slog.Int("conditions", len(all)), slog.Int("ended", l.unsaid)}
	l.unsaid = 0
	if len(all) > 0 {
		worst := &all[0]
		more = append(more, attrs(worst)...)
		more = append(more, slog.Time("since", worst.Since), slog.Int("count", worst.Count))
	}
	if len(all) > 1 {
		var others []string
		for _, c := range all[1:min(len(all), 4)] {
			others = append(others, c.Kind+Whereof(&c, " of "))
		}
		more = append(more, slog.Any("others", others))
	}
	l.add(slog.LevelWarn, "event source: conditions persist", more...)
	return l.minute
}

// attrs returns the attributes of a condition in a log line.
func attrs(c *observe.Condition) []slog.Attr {
	list := []slog.Attr{slog.String("op", string(c.Op)), slog.String("kind", c.Kind)}
	switch tp := c.TopicPartition; {
	case tp.Topic == "":
	case tp.Partition < 0:
		list = append(list, slog.String("topic", tp.Topic))
	default:
		list = append(list, slog.String("partition", tp.String()))
	}
	list = append(list, slog.Any("err", c.Err), slog.String("LastProcessingResult", c.LastProcessingResult))
	if d := &c.Diagnosis; d.Known() {
		list = append(list, slog.String("cause", string(d.Cause)), slog.String("detail", d.Detail), slog.String("hint", d.Hint))
	}
	return list
}
