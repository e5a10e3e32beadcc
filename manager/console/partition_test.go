package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/esm-go/esm/observe"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPartition pauses, resumes, moves and skips with forms only. The group's commits show whether it worked.
func TestPartition(t *testing.T) {
	r := newRig(t)
	topic := r.cluster.NewTopic(t, 1)
	m := r.mapping("orders", topic)
	m.BatchSize = 1
	r.fails.Store(true)
	id := r.create(m)
	for i := range 3 {
		r.cluster.ProduceN(t, topic, 1, func(int) *kgo.Record { return &kgo.Record{Value: fmt.Appendf(nil, "v%d", i)} })
	}
	partition := func() observe.PartitionStatus {
		if s, err := r.manager.Status(id); err == nil && len(s.Partitions) == 1 {
			return s.Partitions[0]
		}
		return observe.PartitionStatus{Position: -1}
	}
	within(t, "a record that blocks", func() bool { return partition().Attempts > 0 })
	at := "mappings/" + id + "/partition"
	query := at + "?topic=" + topic + "&partition=0"
	named := func(more ...string) url.Values {
		v := url.Values{"topic": {topic}, "partition": {"0"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	if _, page := r.get("mappings/" + id); !strings.Contains(page, "partition?topic="+topic+"&amp;partition=0") {
		t.Error("the mapping's page does not lead to its partition")
	}
	if code, page := r.get(query); code != http.StatusOK || !strings.Contains(page, "offset 0 failed") || !strings.Contains(page, ">Pause<") || !strings.Contains(page, ">0</span></a>") {
		t.Error(code, page)
	}

	if code, page := r.post(at+"/pause", named()); code != http.StatusOK || !strings.Contains(page, ">Resume<") || !strings.Contains(page, "partition paused") {
		t.Error(code, page)
	}
	if code, page := r.get(query + "&skip=1"); code != http.StatusOK || !strings.Contains(page, "Skip the record at offset 0?") || !strings.Contains(page, "required") {
		t.Error(code, page)
	}
	if code, page := r.post(at+"/skip", named("offset", "0")); code != http.StatusConflict || !strings.Contains(page, "tick the box") {
		t.Error("without confirmation:", code, page)
	}
	if code, page := r.post(at+"/skip", named("offset", "2", "to", "skip")); code != http.StatusConflict || !strings.Contains(page, "is not at offset 2 but at 0") {
		t.Error("another record:", code, page)
	}
	if code, page := r.post(at+"/skip", named("offset", "0", "to", "skip")); code != http.StatusOK {
		t.Error(code, page)
	}
	if s, _ := r.manager.Status(id); s.Metrics.SkippedEventCount != 1 || s.Partitions[0].Committed != 1 {
		t.Errorf("%+v", s)
	}

	r.fails.Store(false)
	if code, page := r.post(at+"/resume", named()); code != http.StatusOK || !strings.Contains(page, ">Pause<") {
		t.Error(code, page)
	}
	within(t, "the records behind it", func() bool { return partition().Committed == 3 })
	for range 2 {
		<-r.handled
	}

	if code, page := r.get(query + "&to=offset&offset=1&at="); code != http.StatusOK || !strings.Contains(page, "from offset 3 to 1 of 0 to 3: 2 come again") {
		t.Error(code, page)
	}
	for _, wrong := range []string{"&to=offset&offset=9", "&to=offset&offset=-1", "&to=offset&offset=x", "&to=time&at=noon", "&to=moon"} {
		if code, page := r.get(query + wrong); code != http.StatusOK || !strings.Contains(page, `role="alert"`) || strings.Contains(page, `danger">Move<`) {
			t.Error(wrong, code, page)
		}
	}
	for _, wrong := range []url.Values{named("to", "offset", "offset", "9"), named("to", "time", "at", "noon"), named("to", "moon"), named()} {
		if code, page := r.post(at+"/seek", wrong); code != http.StatusConflict || !strings.Contains(page, `role="alert"`) {
			t.Error(wrong, code, page)
		}
	}
	if code, page := r.post(at+"/seek", named("to", "offset", "offset", "1")); code != http.StatusOK {
		t.Error(code, page)
	}
	for i := range 2 {
		if e := <-r.handled; e.Records[topic+"-0"][0].Offset != int64(i+1) {
			t.Errorf("after the move came %+v", e.Records)
		}
	}
	for _, to := range []string{"earliest", "latest"} {
		if code, page := r.post(at+"/seek", named("to", to)); code != http.StatusOK {
			t.Error(to, code, page)
		}
	}

	for path, want := range map[string]int{
		at + "?topic=" + topic:                        http.StatusBadRequest,
		at + "?topic=" + topic + "&partition=-1":      http.StatusBadRequest,
		at + "?topic=" + topic + "&partition=7":       http.StatusOK, // another process may have it
		"mappings/none/partition?topic=t&partition=0": http.StatusNotFound,
	} {
		if code, page := r.get(path); code != want {
			t.Error(path, code, page)
		}
	}
	if code, page := r.post(at+"/pause", url.Values{"topic": {topic}, "partition": {"7"}}); code != http.StatusConflict || !strings.Contains(page, "does not hold the partition") {
		t.Error(code, page)
	}
}
