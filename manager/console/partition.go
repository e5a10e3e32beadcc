package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/observe"
)

// partitionPage is the page of operations on one partition of a running mapping.
type partitionPage struct {
	Base, ID, Function, Name string
	Key, Path, Set           string // of the cells; of this page; of the rows of the mapping's page, as the stream reports it
	Topic                    string
	Partition                int32
	Here, Paused             bool // this process holds the partition; a user has paused it
	Position                 int64
	Cells                    cells
	Stand                    observe.PartitionStatus
	// Problem is what went wrong. Kind, At and Offset are the target of a move, and Row is its preview.
	Problem          string
	Kind, At, Offset string
	Row              *resetRow
	Confirm          bool // ask to confirm that the record at Position is skipped
}

// partitionPath returns the path of a partition's page.
func (c *console) partitionPath(id string, tp esm.TopicPartition) string {
	return c.o.prefix + "/mappings/" + id + "/partition?topic=" + url.QueryEscape(tp.Topic) + "&partition=" + strconv.Itoa(int(tp.Partition))
}

// partitionOf returns the current state of the partition that a request names.
func (c *console) partitionOf(r *http.Request) (v partitionPage, m esm.Mapping, err error) {
	id := strings.ToLower(r.PathValue("id"))
	d, err := c.m.Get(id)
	if err != nil {
		return v, m, err
	}
	status, err := c.m.Status(id) // not the sampler's: the user's next step depends on it
	if err != nil {
		return v, m, err
	}
	number, err := strconv.ParseInt(r.FormValue("partition"), 10, 32)
	if err != nil || number < 0 || r.FormValue("topic") == "" {
		return v, m, &pageError{http.StatusBadRequest, "The address of this page names no partition."}
	}
	m = d.Mapping
	v = partitionPage{
		Base: c.o.prefix, ID: m.UUID, Function: m.FunctionName, Topic: r.FormValue("topic"), Partition: int32(number), Cells: make(cells),
		Kind: r.FormValue("to"), At: strings.TrimSpace(r.FormValue("at")), Offset: strings.TrimSpace(r.FormValue("offset")),
	}
	tp := esm.TopicPartition{Topic: v.Topic, Partition: v.Partition}
	v.Name, v.Key, v.Path = tp.String(), partitionKey(tp), c.partitionPath(m.UUID, tp)
	if s, ok := c.sampler.one(m.UUID); ok {
		v.Set = c.mappingView(s).Set
	}
	for i := range status.Partitions {
		if p := &status.Partitions[i]; p.TopicPartition == tp {
			v.Here, v.Stand, v.Position = true, *p, p.Position
			v.Paused = strings.Contains(p.Paused, "partition paused")
			partitionCells(v.Cells, v.Key, p)
		}
	}
	return v, m, nil
}

func (c *console) partition(w http.ResponseWriter, r *http.Request) error {
	v, m, err := c.partitionOf(r)
	if err != nil {
		return err
	}
	switch {
	case r.FormValue("skip") != "":
		v.Confirm = v.Here && v.Position >= 0
	case v.Kind != "":
		if to, problem := v.place(); problem != "" {
			v.Problem = problem
		} else if v.Row, err = c.previewSeek(r.Context(), m, to, v); err != nil {
			v.Problem = testView{}.failed(err).text()
		}
	}
	c.renderPartition(w, http.StatusOK, v)
	return nil
}

func (c *console) renderPartition(w http.ResponseWriter, status int, v partitionPage) {
	c.render(w, status, "partition", v.Name, v)
}

// place returns the target of a move, or what is wrong with it.
func (v partitionPage) place() (to resetTo, problem string) {
	to, problem = parsePlace(v.Kind, v.At)
	if v.Kind == "offset" {
		n, err := strconv.ParseInt(v.Offset, 10, 64)
		if err != nil || n < 0 {
			return to, fmt.Sprintf("%q is not an offset: want a number of 0 or more.", v.Offset)
		}
		return resetTo{kind: "offset", offset: n}, ""
	}
	return to, problem
}

// previewSeek returns what a move would do, given the current state of the cluster.
func (c *console) previewSeek(ctx context.Context, m esm.Mapping, to resetTo, v partitionPage) (*resetRow, error) {
	rows, err := c.positions(ctx, m, to, false)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		row := &rows[i]
		if row.Topic != v.Topic || row.Partition != v.Partition {
			continue
		}
		if to.kind == "offset" {
			if to.offset < row.Start || to.offset > row.End {
				return nil, fmt.Errorf("the log has the offsets %d to %d, and %d is none of them", row.Start, row.End, to.offset)
			}
			row.Then = to.offset
		}
		row.Now = v.Position
		return row, nil
	}
	return nil, errors.New("the topic has no such partition")
}

// onPartition returns the handler that performs one operation, and then shows the partition or what went wrong.
func (c *console) onPartition(name string, do func(ctx context.Context, r *esm.Runner, tp esm.TopicPartition, v *partitionPage) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, _, err := c.partitionOf(r)
		if err != nil {
			return err
		}
		runner, err := c.m.Runner(v.ID)
		if err != nil {
			return err
		}
		ctx, cancel := operation(r)
		defer cancel()
		if runner == nil {
			err = fmt.Errorf("%w: the mapping does not run", esm.ErrNotAssigned)
		} else {
			err = do(ctx, runner, esm.TopicPartition{Topic: v.Topic, Partition: v.Partition}, &v)
		}
		if err == nil {
			c.o.logger.Warn("the console was asked for an operation on a partition", "operation", name, "UUID", v.ID, "partition", v.Name)
			c.done(w, r, strings.TrimPrefix(c.partitionPath(v.ID, esm.TopicPartition{Topic: v.Topic, Partition: v.Partition}), c.o.prefix))
			return nil
		}
		fresh, _, again := c.partitionOf(r)
		if again != nil {
			return again
		}
		fresh.Problem = operationProblem(err)
		c.renderPartition(w, http.StatusConflict, fresh)
		return nil
	}
}

// errUnsure is the reason why a skip was not performed.
var errUnsure = errors.New("tick the box to confirm that the record is given up")

func operationProblem(err error) string {
	text := strings.TrimPrefix(err.Error(), "esm: ")
	switch {
	case errors.Is(err, esm.ErrOperationPending):
		return "It has begun but is not completed yet; this page shows its progress. (" + text + ")"
	case errors.Is(err, esm.ErrNotAssigned):
		return "This process does not hold the partition now, so nothing was done. Where the group has other members, one of those may. (" + text + ")"
	case errors.Is(err, context.DeadlineExceeded):
		return "The member that holds the partition did not get to it in time: a handler still has the record, or the broker does not answer. (" + text + ")"
	}
	return "Nothing was done: " + text + "."
}

func pausePartition(ctx context.Context, r *esm.Runner, tp esm.TopicPartition, _ *partitionPage) error {
	return r.PausePartition(ctx, tp)
}

func resumePartition(ctx context.Context, r *esm.Runner, tp esm.TopicPartition, _ *partitionPage) error {
	return r.ResumePartition(ctx, tp)
}

func seekPartition(ctx context.Context, r *esm.Runner, tp esm.TopicPartition, v *partitionPage) error {
	to, problem := v.place()
	if problem != "" {
		return errors.New(strings.TrimSuffix(problem, "."))
	}
	var at esm.LogPosition
	switch to.kind {
	case "earliest":
		at = esm.ToEarliest()
	case "latest":
		at = esm.ToLatest()
	case "time":
		at = esm.ToTime(to.at)
	case "offset":
		at = esm.ToOffset(to.offset)
	}
	_, err := r.Seek(ctx, tp, at)
	return err
}

func skipRecord(ctx context.Context, r *esm.Runner, tp esm.TopicPartition, v *partitionPage) error {
	offset, err := strconv.ParseInt(v.Offset, 10, 64)
	if err != nil {
		return errors.New("the form names no offset")
	}
	if v.Kind != "skip" {
		return errUnsure
	}
	return r.Skip(ctx, tp, offset)
}
