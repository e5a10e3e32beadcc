package condition

import (
	"context"
	"log/slog"
	"time"

	"github.com/esm-go/esm/observe"
)

// lines writes the lines about conditions: one when a condition begins, when it becomes another one and when it ends,
// as long as they are few; and one a minute, while any stands or some came and went unsaid.
type lines struct {
	log   *slog.Logger
	few   allowance
	ready []func() // to be written when the lock is released
	// unsaid counts conditions that ended with no line of their own since the last line of the minute.
	unsaid int
	minute time.Time // of the next such line; zero when nothing stands
}

const (
	// fewLines is how many lines about single conditions may come at once; one more may each oneMoreEach. With the
	// line of the minute that is four in any minute at most, which leaves two to clients and rebalances.
	fewLines    = 2
	oneMoreEach = 30 * time.Second
	// lineEvery is the time between two lines that say what stands.
	lineEvery = time.Minute
)

func (l *lines) init(log *slog.Logger) {
	l.log, l.few = log, allowance{most: fewLines, each: oneMoreEach}
}

// take hands over the lines that are to be written.
func (l *lines) take() []func() {
	ready := l.ready
	l.ready = nil
	return ready
}

func (l *lines) add(level slog.Level, what string, attrs ...slog.Attr) {
	l.ready = append(l.ready, func() { l.log.LogAttrs(context.Background(), level, what, attrs...) })
}

// write writes a line about a condition; false when there have been many.
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

// mention writes a line about what does not stand.
func (l *lines) mention(now time.Time, c observe.Condition) {
	if ok, _ := l.few.take(now); ok {
		l.add(slog.LevelWarn, "event source", attrs(&c)...)
	}
}

// ended writes the line of a condition's end.
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

// everyMinute writes the line of the minute when it is due, about the conditions given, worst first; it returns when the next
// one is, zero when there is nothing to tell of.
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
	l.add(slog.LevelWarn, "event source: conditions stand", more...)
	return l.minute
}

// attrs describe a condition in a line of the log.
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
