package console

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/esm-go/esm"
)

// resetTo is the target of a reset or move.
type resetTo struct {
	kind   string // earliest, latest or time; for one partition also offset
	at     time.Time
	offset int64
}

// resetRow is what a reset does to a partition's position.
type resetRow struct {
	Topic            string
	Partition        int32
	Start, Now, Then int64
	End              int64
}

// Moves says by how many records the position moves. Records after the new position are read again.
func (r resetRow) Moves() string {
	switch from := max(r.Now, r.Start); {
	case r.Now < 0:
		return "set for the first time"
	case r.Then < from:
		return number(from-r.Then) + " come again"
	case r.Then > from:
		return number(r.Then-from) + " are passed over"
	}
	return "stays"
}

type resetView struct {
	Base, ID, Group  string
	Kind, At         string
	Disabled         bool
	Rows             []resetRow
	Problem, Preview string
}

// resetOf returns the mapping and the target that a request names.
func (c *console) resetOf(r *http.Request) (esm.Mapping, resetTo, resetView, error) {
	d, err := c.m.Get(strings.ToLower(r.PathValue("id")))
	if err != nil {
		return esm.Mapping{}, resetTo{}, resetView{}, err
	}
	v := resetView{
		Base: c.o.prefix, ID: d.Mapping.UUID, Group: d.Mapping.GroupID(), Disabled: d.State == esm.Disabled,
		Kind: r.FormValue("to"), At: strings.TrimSpace(r.FormValue("at")),
	}
	to, problem := parsePlace(v.Kind, v.At)
	v.Problem = problem
	if !v.Disabled {
		v.Problem = "Disable the mapping first, and wait until it is Disabled: while it reads, its own commits would undo the reset."
	}
	return d.Mapping, to, v, nil
}

// parsePlace parses the target of a reset, or returns what is wrong with it.
func parsePlace(kind, at string) (to resetTo, problem string) {
	to.kind = kind
	switch kind {
	case "", "earliest", "latest":
	case "time":
		var err error
		if to.at, err = time.Parse(time.RFC3339, at); err != nil {
			problem = fmt.Sprintf("%q is not a time such as 2026-11-28T15:04:05Z.", at)
		}
	default:
		problem = "Positions go to the earliest record, to the latest or to a time."
	}
	return to, problem
}

// resetPage shows what a reset would do, if the request names a target.
func (c *console) resetPage(w http.ResponseWriter, r *http.Request) error {
	m, to, v, err := c.resetOf(r)
	if err != nil {
		return err
	}
	if v.Problem == "" && to.kind != "" {
		if v.Rows, err = c.positions(r.Context(), m, to, false); err != nil {
			v.Problem = testView{}.failed(err).text()
		}
	}
	c.render(w, http.StatusOK, "reset", "Reset positions", v)
	return nil
}

func (c *console) reset(w http.ResponseWriter, r *http.Request) error {
	m, to, v, err := c.resetOf(r)
	if err != nil {
		return err
	}
	if v.Problem == "" && to.kind == "" {
		v.Problem = "Choose where to move the positions."
	}
	if v.Problem == "" {
		if _, err = c.positions(r.Context(), m, to, true); err == nil {
			c.o.logger.Warn("the positions of a mapping were reset by the console", "UUID", m.UUID, "ConsumerGroupId", v.Group, "position", to.kind, "at", v.At)
			c.done(w, r, "/mappings/"+m.UUID)
			return nil
		}
		v.Problem = testView{}.failed(err).text()
	}
	c.render(w, http.StatusUnprocessableEntity, "reset", "Reset positions", v)
	return nil
}

// positions returns the effect of a reset on a mapping's positions, and performs it if set is true.
func (c *console) positions(ctx context.Context, m esm.Mapping, to resetTo, set bool) ([]resetRow, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	client, err := c.client(ctx, m)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	rows, err := positionsOf(ctx, admin, m, to)
	if err != nil || !set {
		return rows, err
	}
	var offsets kadm.Offsets
	for _, row := range rows {
		offsets.AddOffset(row.Topic, row.Partition, row.Then, -1)
	}
	// A broker rejects the commit while the group has members, of another replica or another program.
	return rows, admin.CommitAllOffsets(ctx, m.GroupID(), offsets)
}

func (v testView) text() string {
	if v.Hints == "" {
		return v.Problem
	}
	return v.Problem + " " + v.Hints
}

// readsTopic reports whether a mapping reads a topic.
func readsTopic(m esm.Mapping, topic string) bool {
	for _, t := range m.Topics {
		if t == topic {
			return true
		}
		if strings.HasPrefix(t, "^") {
			if pattern, err := regexp.Compile(t); err == nil && pattern.MatchString(topic) {
				return true
			}
		}
	}
	return false
}
