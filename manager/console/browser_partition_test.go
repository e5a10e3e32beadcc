package console_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/mapping"
)

// TestBrowserPartition handles a blocking record in a real browser as a person would: it finds the record and the logs,
// pauses its partition, skips it, resumes, and moves the partition back. The group's commits and the function's events
// show whether it worked.
func TestBrowserPartition(t *testing.T) {
	r, b := newRig(t), newBrowser(t)
	const topic = "orders" // for the screenshots
	r.cluster.CreateTopic(t, topic, 1)
	m := r.mapping("orders", topic)
	m.BatchSize, m.LoggingConfig = 1, &mapping.LoggingConfig{SystemLogLevel: "INFO"}
	r.fails.Store(true)
	id := r.create(m)
	r.cluster.ProduceN(t, topic, 3, func(i int) *kgo.Record {
		return &kgo.Record{Value: fmt.Appendf(nil, "v%d", i)}
	})
	b.do(chromedp.Navigate(r.url + "mappings/" + id))
	b.await("document.querySelector('[data-live=\"log/events\"]').textContent.includes('event source mapping starts')")
	b.await("document.querySelector('[data-live=\"log/poller\"]').textContent.includes('has 1 of 1 partitions: orders-0')") // live
	b.await("[...document.querySelectorAll('#set tbody tr')].some(e => e.textContent.includes('orders-0') && e.textContent.includes('the orders service does not answer'))")
	b.shot("mapping-log")
	b.do(chromedp.Evaluate[chromedp.Void]("[...document.querySelectorAll('#set tbody a')].find(e => e.textContent === 'orders-0').click()"))
	b.await("document.querySelector('h1').textContent === 'Partition orders-0'")
	const cell = "document.querySelector('dl [data-live=\"p/orders/0/%s\"]').textContent"
	b.await(fmt.Sprintf(cell, "blocks") + ".startsWith('offset 0 failed')")
	b.shot("partition")

	b.click("form[action$='/pause'] button")
	b.await("document.querySelector(\"form[action$='/resume'] button\")")
	b.await(fmt.Sprintf(cell, "doing") + ".includes('partition paused')")
	b.click("a.danger")
	b.await("document.body.textContent.includes('Skip the record at offset 0?')")
	b.shot("skip")
	b.click("button.danger") // without ticking the box
	if !b.is("document.querySelector('[value=skip]:invalid') !== null && location.search.includes('skip=1')") {
		t.Error("a skip without its tick was sent:", b.text("location.href"))
	}
	b.click("[value=skip]")
	b.click("button.danger")
	b.await(fmt.Sprintf(cell, "position") + " === '1'")
	if got := r.cluster.Committed(t, id, topic)[0]; got != 1 {
		t.Errorf("after the skip %d is committed", got)
	}
	if s, err := r.manager.Status(id); err != nil || s.Metrics.SkippedEventCount != 1 {
		t.Error(s.Metrics.SkippedEventCount, err)
	}
	r.fails.Store(false)
	b.click("form[action$='/resume'] button")
	b.await("document.querySelector(\"form[action$='/pause'] button\")")
	b.await(fmt.Sprintf(cell, "committed") + " === '3'") // live: the page was not reloaded
	b.await("document.querySelector('.actions [data-live]').textContent === '3'")
	for i := 1; i < 3; i++ {
		if e := <-r.handled; e.Records["orders-0"][0].Offset != int64(i) {
			t.Errorf("behind the record came %+v", e.Records)
		}
	}

	b.click("[value=offset]")
	b.write("offset", "9")
	b.click("fieldset ~ .actions button")
	b.await("document.querySelector('[role=alert]').textContent.includes('9 is none of them')")
	b.write("offset", "2")
	b.click("fieldset ~ .actions button")
	b.await("document.body.textContent.includes('from offset 3 to 2 of 0 to 3: 1 come again')")
	b.shot("move")
	b.click("form[action$='/seek'] button")
	if e := <-r.handled; e.Records["orders-0"][0].Offset != 2 {
		t.Errorf("after the move came %+v", e.Records)
	}
	b.await(fmt.Sprintf(cell, "committed") + " === '3' && !location.search.includes('offset')")

	// The log shows what was done, and the page shows what goes away in the meantime.
	if log, err := r.manager.Log(id); err != nil || !strings.Contains(fmt.Sprint(log.Events), "asked for: Skip") {
		t.Error(log.Events, err)
	}
	if _, err := r.manager.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.Enabled = new(false); return nil }); err != nil {
		t.Fatal(err)
	}
	b.await("document.body.textContent.includes('does not hold the partition now')")
}
