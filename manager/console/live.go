package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// change is one live update: the texts that have changed, and the charts' next points. Set changes when the browser
// must reload the page, because rows were added or removed.
type change struct {
	Set    string  `json:"set"`
	Cells  cells   `json:"cells,omitempty"`
	Points []point `json:"points,omitempty"`
	Gone   bool    `json:"gone,omitempty"`
}

// live sends updates to a browser as server-sent events, until it disconnects or the service stops.
func (c *console) live(w http.ResponseWriter, r *http.Request) error {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return &pageError{http.StatusServiceUnavailable, "Too many browsers are following the changes."}
	}
	id := r.URL.Query().Get("mapping")
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	ticker := time.NewTicker(liveInterval)
	defer ticker.Stop()
	told := make(cells)
	since := 0.0
	for {
		now, is := c.now(id, since)
		out := change{Set: now.Set, Cells: now.Cells.since(told), Points: now.Points, Gone: !is}
		if n := len(now.Points); n > 0 {
			since = now.Points[n-1][0]
		}
		told = now.Cells
		data, err := json.Marshal(out)
		if err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second)) // in case the browser does not read
		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
			return nil // the browser is gone
		}
		if err := control.Flush(); err != nil || out.Gone {
			return nil // the browser or the mapping is gone
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return nil
		}
	}
}

// now returns the current content of a page: all mappings, or one, with the points after a time.
func (c *console) now(id string, since float64) (now change, is bool) {
	if id == "" {
		samples := c.sampler.list()
		return change{Set: setOfList(samples), Cells: listCells(samples)}, true
	}
	s, ok := c.sampler.one(id)
	if !ok {
		return change{}, false
	}
	points := s.Points
	for len(points) > 0 && points[0][0] <= since {
		points = points[1:]
	}
	v := c.mappingView(s)
	return change{Set: v.Set, Cells: v.Cells, Points: points}, true
}

// since returns the cells that differ from told.
func (c cells) since(told cells) cells {
	out := make(cells)
	for name, text := range c {
		if before, ok := told[name]; !ok || before != text {
			out[name] = text
		}
	}
	return out
}

// digest returns a short hash of a text.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
