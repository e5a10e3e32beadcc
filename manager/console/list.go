package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store"
)

// cells are the texts of a page that change, by their names in the page (data-live).
type cells map[string]string

// listView is the page that lists all mappings.
type listView struct {
	Base     string
	ReadOnly bool
	Set      string // identifies the set of mappings
	Rows     []rowView
	Problems []store.Problem
	Err      error
}

type rowView struct {
	ID, Function, Topics, Servers string
	State, Lag, Rate, Problem     string
}

func (c *console) list(w http.ResponseWriter, _ *http.Request) error {
	samples := c.sampler.list()
	v := listView{Base: c.o.prefix, ReadOnly: c.o.readOnly, Set: setOfList(samples), Problems: c.m.Problems(), Err: c.m.Healthy()}
	for _, s := range samples {
		v.Rows = append(v.Rows, row(s))
	}
	c.render(w, http.StatusOK, "list", "Event source mappings", v)
	return nil
}

func row(s sample) rowView {
	m := s.Description.Mapping
	return rowView{
		ID: m.UUID, Function: m.FunctionName, Topics: strings.Join(m.Topics, ", "),
		Servers: strings.Join(m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, ", "),
		State:   string(s.Description.State), Lag: lag(s), Rate: rate(s.Invoked), Problem: problem(s.Description),
	}
}

// lag returns the sum over the partitions, "–" if there are none.
func lag(s sample) string {
	if len(s.Status.Partitions) == 0 {
		return "–"
	}
	return number(s.Status.SumOffsetLag)
}

// problem returns what is wrong with a mapping, empty if nothing is.
func problem(d manager.Description) string {
	text, is := strings.CutPrefix(d.LastProcessingResult, "PROBLEM: ")
	if !is {
		return ""
	}
	return text
}

func listCells(samples []sample) cells {
	out := make(cells, 4*len(samples))
	for _, s := range samples {
		r := row(s)
		out[r.ID+"/state"], out[r.ID+"/lag"], out[r.ID+"/rate"], out[r.ID+"/problem"] = r.State, r.Lag, r.Rate, r.Problem
	}
	return out
}

// setOfList returns a text that changes when rows are added, removed or redefined.
func setOfList(samples []sample) string {
	var b strings.Builder
	for _, s := range samples {
		b.WriteString(s.Description.Mapping.UUID + "@" + strconv.FormatUint(uint64(s.Description.Revision), 10) + " ")
	}
	return digest(b.String())
}
