package console_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
)

// TestBrowser uses a real browser as a person would: add a mapping, with a wrong field, view it, watch the charts move,
// edit, disable, reset, enable, delete.
func TestBrowser(t *testing.T) {
	r, b := newRig(t), newBrowser(t)
	const topic = "orders" // for the screenshots
	r.cluster.CreateTopic(t, topic, 3)
	produce := func(n int) {
		r.cluster.ProduceN(t, topic, n, func(i int) *kgo.Record {
			return &kgo.Record{Partition: int32(i % 3), Value: fmt.Appendf(nil, `{"status":"NEW","n":%d}`, i)}
		})
	}
	produce(30)
	b.do(chromedp.Navigate(r.url))
	b.shot("empty")
	b.click("a.primary")
	b.write("function", "orders")
	b.write("servers", r.cluster.Bootstrap()[0])
	b.write("topics", topic)
	b.write("batch", "20000")
	b.await("document.getElementById('wrong-batch').textContent.includes('BatchSize = 20000')")
	b.await("document.getElementById('batch').getAttribute('aria-invalid') === 'true'")
	if b.is("document.getElementById('wrong-secret').textContent !== ''") {
		t.Error("a field that nobody touched is said to be wrong")
	}
	b.click("button[type=submit]")
	b.await("document.activeElement.id === 'summary'")
	b.shot("wrong")
	b.write("batch", "10")
	b.await("document.getElementById('wrong-batch').textContent === ''")
	b.write("filters-0", `{"value":{"status":["NEW"]}}`)
	b.click("button[type=button]")
	b.await("document.getElementById('tested').textContent.includes('It works')")
	b.shot("add")
	b.click("button[type=submit]")
	b.await("document.querySelector('.state')?.textContent === 'Enabled'")
	id := strings.ToLower(b.text("location.pathname.split('/').pop()"))
	d, err := r.manager.Get(id)
	if err != nil || d.Mapping.BatchSize != 10 || d.Mapping.FilterCriteria.Filters[0].Pattern != `{"value":{"status":["NEW"]}}` {
		t.Fatal(d, err)
	}
	b.await("document.querySelectorAll('#set tbody tr').length === 3")
	b.await("[...document.querySelectorAll('[data-label=Committed]')].every(e => e.textContent === '10')") // live: the page was not reloaded
	produce(300)
	b.await("[...document.querySelectorAll('[data-label=Committed]')].every(e => e.textContent === '110')")
	b.await("Number(document.documentElement.dataset.points) >= 3")
	b.await("[...document.querySelectorAll('.chart canvas')].length === 4")
	r.fails.Store(true)
	produce(3)
	b.await("document.querySelector('[data-label=\"Blocked by\"]').textContent.includes('the orders service does not answer')")
	b.await("document.querySelector('[data-live=lag]').textContent === '3'")
	b.shot("mapping")
	r.fails.Store(false)
	b.await("document.querySelector('[data-live=lag]').textContent === '0'")

	b.click(".actions a.button") // Edit
	b.await("document.getElementById('batch')?.value === '10'")
	if b.is("document.querySelector('[name=topics], [name=servers]') !== null") {
		t.Error("what cannot be updated can be edited")
	}
	b.write("batch", "7")
	b.click("button[type=submit]")
	b.await("document.querySelector('details pre')?.textContent.includes('\"BatchSize\": 7')")
	b.click(".actions button") // Disable
	b.await("document.querySelector('.state')?.textContent === 'Disabled'")
	b.await("[...document.querySelectorAll('.actions a')].some(a => a.textContent === 'Reset positions')")

	b.do(chromedp.Navigate(r.url + "mappings/" + id + "/reset"))
	b.click("[value=earliest]")
	b.click("form button")
	b.await("document.querySelectorAll('tbody tr').length === 3 && document.body.textContent.includes('111 come again')")
	b.shot("reset")
	b.click("button.danger")
	b.await("document.querySelector('.state')?.textContent === 'Disabled'")
	for partition, offset := range r.cluster.Committed(t, id, topic) {
		if offset != 0 {
			t.Errorf("partition %d was reset to %d", partition, offset)
		}
	}
	b.click(".actions button") // Enable
	b.await("document.querySelector('.state')?.textContent === 'Enabled'")
	b.await("[...document.querySelectorAll('[data-label=Committed]')].length === 3 && [...document.querySelectorAll('[data-label=Committed]')].every(e => e.textContent === '111')")

	b.do(chromedp.Navigate(r.url))
	b.await("document.querySelector('tbody .state').textContent === 'Enabled'")
	other := r.mapping("billing", topic)
	other.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{"127.0.0.1:1"}
	r.create(other)
	b.await("document.querySelectorAll('tbody tr').length === 2") // live
	b.await("[...document.querySelectorAll('[data-label=Problem]')].some(e => e.textContent !== '')")
	b.shot("list")
	b.do(chromedp.Navigate(r.url + "mappings/" + id))
	b.click("a.danger")
	b.await("document.querySelector('h1').textContent.includes('Delete')")
	b.shot("delete")
	b.click("button.danger")
	b.await("document.querySelectorAll('tbody tr').length === 1")
	within(t, "its end", func() bool {
		page, _ := r.manager.List(manager.Filter{FunctionName: "orders"})
		return len(page) == 0
	})
}

// TestBrowserKeyboard adds a mapping with the keyboard only.
func TestBrowserKeyboard(t *testing.T) {
	r, b := newRig(t), newBrowser(t)
	topic := r.cluster.NewTopic(t, 1)
	b.do(chromedp.Navigate(r.url))
	// tab moves the focus until an expression is true for the focused element.
	tab := func(expression string) {
		t.Helper()
		for range 60 {
			if b.is("(e => " + expression + ")(document.activeElement)") {
				if !b.is("(e => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' && s.outlineWidth !== '0px'; })(document.activeElement)") {
					t.Errorf("the focus on %s cannot be seen", b.text("document.activeElement.outerHTML.slice(0, 100)"))
				}
				return
			}
			b.do(chromedp.KeyEvent("\t"))
		}
		t.Fatalf("no tab leads to %s", expression)
	}
	tab("e.textContent === 'Skip to content'")
	tab("e.textContent === 'Add mapping'")
	b.do(chromedp.KeyEvent("\r"))
	b.await("document.getElementById('function')")
	tab("e.id === 'function'")
	b.do(chromedp.KeyEvent("orders"))
	tab("e.id === 'servers'")
	b.do(chromedp.KeyEvent(r.cluster.Bootstrap()[0]))
	tab("e.id === 'topics'")
	b.do(chromedp.KeyEvent(topic))
	tab("e.type === 'submit'")
	b.do(chromedp.KeyEvent("\r"))
	b.await("document.querySelector('.state')?.textContent === 'Enabled'")
	tab("e.textContent === 'Disable'")
	b.do(chromedp.KeyEvent("\r"))
	b.await("document.querySelector('.state')?.textContent === 'Disabled'")
	tab("e.textContent === 'Delete'")
	b.do(chromedp.KeyEvent("\r"))
	b.await("document.querySelector('h1').textContent.includes('Delete')")
	tab("e.textContent === 'Delete' && e.tagName === 'BUTTON'")
	b.do(chromedp.KeyEvent("\r"))
	b.await("document.querySelector('.empty')")
}

// TestBrowserFilter tries a filter on typed values, while they are typed, and on records of a topic.
func TestBrowserFilter(t *testing.T) {
	r, b := newRig(t), newBrowser(t)
	topic := r.cluster.NewTopic(t, 1)
	r.cluster.Produce(t, &kgo.Record{Topic: topic, Value: []byte(`{"status":"NEW"}`)}, &kgo.Record{Topic: topic, Value: []byte(`{"status":"OLD"}`)})
	id := r.create(r.mapping("orders", topic))
	r.awaitState(id, esm.Enabled)
	b.do(chromedp.Navigate(r.url + "filter"))
	b.write("pattern", `{"value":{"status":["NEW"]}}`)
	b.write("value", `{"status":"NEW"}`)
	b.await("document.getElementById('results').textContent.includes('matches')")
	b.write("value", `{"status":"OLD"}`)
	b.await("document.getElementById('results').textContent.includes('does not match')")
	b.write("pattern", `{"value":{"status":[{"nope":1}]}}`)
	b.await("document.getElementById('results').textContent.includes('Invalid filter pattern definition.')")
	b.write("pattern", `{"value":{"status":["NEW"]}}`)
	b.do(chromedp.SetValue(chromedp.CSS("#from"), id))
	b.click("button.primary")
	b.await("document.querySelectorAll('#results .state').length === 2")
	if got := b.text("[...document.querySelectorAll('#results .state')].map(e => e.textContent).join()"); got != "matches,does not match" {
		t.Error("the sampled records:", got)
	}
	b.shot("filter")
}

// TestBrowserPolicy checks that the tests above would notice a page that violates the policy.
func TestBrowserPolicy(t *testing.T) {
	r, b := newRig(t), newBrowser(t)
	b.do(chromedp.Navigate(r.url))
	b.do(chromedp.Evaluate[chromedp.Void]("(() => { const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s); })()"))
	within(t, "the browser's complaint", func() bool { return len(b.against()) > 0 })
	if b.is("window.broken === 1") {
		t.Error("a script of the page's own runs")
	}
	b.mu.Lock()
	b.said = nil
	b.mu.Unlock()
}
