package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/observe"
)

// mappingView is the page of one mapping.
type mappingView struct {
	Base, ID, Set      string
	ReadOnly           bool
	Function, ARN      string
	Enabled            bool
	Disabled, Deleting bool
	Conditions         []conditionView
	Diagnosis          string
	Partitions         []partitionView
	Definition         string
	Group              string
	LogLevel           string // of the poller log; empty for none
	Cells              cells
	Points             []point
}

type conditionView struct {
	What, Text, Hint, Since string
}

// partitionView is a row of the partition table. The texts that change are among the cells, under Key and a name.
type partitionView struct {
	Key, Name, Link string
}

func (c *console) mapping(w http.ResponseWriter, r *http.Request) error {
	s, ok := c.sampler.one(strings.ToLower(r.PathValue("id")))
	if !ok {
		return &pageError{http.StatusNotFound, "There is no such mapping. It may have been deleted."}
	}
	v := c.mappingView(s)
	c.render(w, http.StatusOK, "mapping", s.Description.Mapping.FunctionName+" ← "+strings.Join(s.Description.Mapping.Topics, ", "), v)
	return nil
}

func (c *console) mappingView(s sample) mappingView {
	d, status := s.Description, s.Status
	v := mappingView{
		Base: c.o.prefix, ID: d.Mapping.UUID, ReadOnly: c.o.readOnly, Function: d.Mapping.FunctionName, ARN: d.ARN,
		Enabled: d.Mapping.Enabled == nil || *d.Mapping.Enabled, Disabled: d.State == esm.Disabled, Deleting: d.State == "Deleting",
		Group: d.Mapping.GroupID(), Points: s.Points,
	}
	if known := status.Diagnosis; known.Detail != "" || known.Hint != "" {
		v.Diagnosis = strings.TrimSpace(known.Detail + " " + known.Hint)
	}
	if definition, err := json.MarshalIndent(d.Mapping, "", "  "); err == nil {
		v.Definition = string(definition)
	}
	for i := range status.Conditions {
		k := &status.Conditions[i]
		what := string(k.Op) + ": " + k.Kind
		if where := k.Where(); where != "" {
			what += " of " + where
		}
		v.Conditions = append(v.Conditions, conditionView{
			What: what, Text: conditionText(k), Hint: strings.TrimSpace(k.Diagnosis.Detail + " " + k.Diagnosis.Hint), Since: stamp(k.Since),
		})
	}
	if l := d.Mapping.LoggingConfig; l != nil {
		v.LogLevel = l.SystemLogLevel
	}
	v.Cells = c.mappingCells(s)
	log, _ := c.m.Log(d.Mapping.UUID) // empty if the mapping was deleted in the meantime
	v.Cells["log/events"], v.Cells["log/poller"] = eventLines(log.Events), pollerLines(log.Poller)
	set := make([]string, 0, len(status.Partitions)+len(v.Conditions)+4)
	for i := range status.Partitions {
		p := &status.Partitions[i]
		key := partitionKey(p.TopicPartition)
		v.Partitions = append(v.Partitions, partitionView{Key: key, Name: p.TopicPartition.String(), Link: c.partitionPath(d.Mapping.UUID, p.TopicPartition)})
		partitionCells(v.Cells, key, p)
		set = append(set, key)
	}
	for _, k := range v.Conditions {
		set = append(set, k.What, k.Since, k.Text)
	}
	set = append(set, strconv.FormatUint(uint64(d.Revision), 10), string(d.State), v.Diagnosis)
	v.Set = digest(strings.Join(set, "\n"))
	return v
}

func conditionText(k *observe.Condition) string {
	if k.LastProcessingResult != "" {
		return strings.TrimPrefix(k.LastProcessingResult, "PROBLEM: ")
	}
	if k.Err != nil {
		return k.Err.Error()
	}
	return ""
}

// mappingCells returns the texts about the mapping as a whole.
func (c *console) mappingCells(s sample) cells {
	d, status := s.Description, s.Status
	scaling := status.Scaling.Reason.String()
	if status.Scaling.Decided.IsZero() {
		scaling = "nothing decided yet"
	}
	return cells{
		"state": string(d.State), "reason": d.StateTransitionReason, "result": d.LastProcessingResult, "modified": stamp(d.LastModified),
		"lag": lag(s), "age": span(status.OldestAge), "rate": rate(s.Invoked), "failed": rate(s.Failed),
		"dropped": number(status.Metrics.DroppedEventCount), "filtered": number(status.Metrics.FilteredOutEventCount),
		"polled": number(status.Metrics.PolledEventCount), "invocations": number(status.Metrics.InvokeCount), "errors": number(status.Metrics.InvokeErrorCount),
		"workers":  fmt.Sprintf("%d of %d", status.InFlight, status.Workers),
		"pollers":  strconv.Itoa(status.Pollers),
		"buffered": bytesText(status.BufferedBytes) + " of " + bytesText(status.BufferLimit),
		"scaling":  scaling, "credentials": credentialsText(&status.Credentials), "destination": destinationText(&status.Destination), "driver": orDash(status.Driver),
	}
}

// credentialsText says how the brokers are reached, as whom, and how long the certificates are valid.
func credentialsText(c *observe.CredentialsStatus) string {
	if c.Protocol == "" {
		return "–"
	}
	text := strings.TrimSpace(c.Protocol + " " + c.Mechanism)
	if c.Principal != "" {
		text += " as " + c.Principal
	}
	if !c.Expires.IsZero() {
		text += fmt.Sprintf("; certificates hold %d days more", c.DaysLeft)
	}
	if c.Rotations > 0 {
		text += fmt.Sprintf("; rotated %d times, last %s", c.Rotations, stamp(c.Since))
	}
	if c.Err != nil {
		text += "; newer ones are not used: " + shorten(c.Err.Error())
	}
	return text
}

// destinationText describes the state of the on-failure destination.
func destinationText(d *observe.DestinationStatus) string {
	if d.Name == "" {
		return "none"
	}
	text := fmt.Sprintf("%s: %s failures delivered", d.Name, number(d.Delivered))
	if d.Pending > 0 {
		text += fmt.Sprintf(", %d under way", d.Pending)
	}
	if d.Failing > 0 && d.LastError != nil {
		text += fmt.Sprintf("; %d refused since %s: %s", d.Failing, clock(d.Since), shorten(d.LastError.Error()))
	}
	return text
}

// partitionKey returns the prefix of the names of a partition's cells.
func partitionKey(tp esm.TopicPartition) string {
	return "p/" + tp.Topic + "/" + strconv.Itoa(int(tp.Partition))
}

// partitionCells adds the texts about a partition. What blocks it is always its first unresolved record.
func partitionCells(to cells, key string, p *observe.PartitionStatus) {
	to[key+"/position"], to[key+"/committed"], to[key+"/end"] = number(p.Position), number(p.Committed), number(p.End)
	to[key+"/lag"], to[key+"/buffered"] = number(p.Lag), number(int64(p.Buffered))
	var doing []string
	for _, x := range []struct {
		is   bool
		text string
	}{
		{p.Starting, "starting"}, {p.Draining, "being given away"}, {p.Paused != "", "not fetched: " + p.Paused},
		{!p.InFlightSince.IsZero(), "in flight since " + clock(p.InFlightSince)},
	} {
		if x.is {
			doing = append(doing, x.text)
		}
	}
	to[key+"/doing"] = strings.Join(doing, ", ")
	blocks := ""
	if p.Attempts > 0 {
		blocks = fmt.Sprintf("offset %d failed %d times since %s", p.Position, p.Attempts, clock(p.FirstFailure))
		if !p.NextTry.IsZero() {
			blocks += ", next try " + clock(p.NextTry)
		}
		if p.LastError != nil {
			blocks += ": " + shorten(p.LastError.Error())
		}
	}
	if p.Condition != nil {
		blocks = strings.TrimPrefix(blocks+"; "+shorten(conditionText(p.Condition)), "; ")
	}
	to[key+"/blocks"] = blocks
}

// clock returns the time of day, with the date if it is more than 12 hours away.
func clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	if time.Since(t).Abs() > 12*time.Hour {
		return stamp(t)
	}
	return t.UTC().Format("15:04:05 UTC")
}

// shorten truncates a long text.
func shorten(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
