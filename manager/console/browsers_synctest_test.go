package console_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/console"
	"github.com/esm-go/esm/manager/store/memory"
)

// TestManyBrowsers: however many browsers are connected, and whenever they connect, each mapping's status is read once
// a second, and each reading is a point of its charts.
func TestManyBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := esmtest.NewBroker(t)
		broker.CreateTopic("orders", 1)
		quiet := slog.New(slog.DiscardHandler)
		m, err := manager.New(memory.New(), manager.Handlers{"orders": func(context.Context, esm.KafkaEvent) error { return nil }},
			manager.WithLogger(quiet), manager.WithRunnerOptions(esm.WithDriver(broker.Driver()), esm.WithStopTimeout(time.Second)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = m.Run(ctx) })
		defer running.Wait()
		defer stop()
		d, err := m.Create(ctx, esm.Mapping{FunctionName: "orders", Topics: []string{"orders"},
			SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:1"}}}})
		if err != nil {
			t.Fatal(err)
		}
		pages, err := console.New(m, console.WithLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		ask := func(ctx context.Context, path string) *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil).WithContext(ctx)
			r.Host = "localhost"
			pages.ServeHTTP(w, r)
			return w
		}
		const seconds = 30
		looking, leave := context.WithTimeout(ctx, seconds*time.Second)
		defer leave()
		for i := range 50 {
			running.Go(func() {
				time.Sleep(time.Duration(i) * 37 * time.Millisecond) // each starts at a different time
				path := "/live"
				if i%2 == 0 {
					path += "?mapping=" + d.Mapping.UUID
				}
				ask(looking, path)
			})
		}
		<-looking.Done()
		synctest.Wait()
		page := ask(ctx, "/mappings/"+d.Mapping.UUID).Body.String()
		found := regexp.MustCompile(`id="points">(.*?)</script>`).FindStringSubmatch(page)
		var points [][]float64
		if len(found) != 2 || json.Unmarshal([]byte(found[1]), &points) != nil {
			t.Fatal("the page has no points:", page)
		}
		if len(points) > seconds+1 || len(points) < seconds*9/10 {
			t.Errorf("in %d seconds the mapping was asked %d times", seconds, len(points))
		}
	})
}
