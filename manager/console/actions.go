package console

import (
	"net/http"
	"strings"

	"github.com/esm-go/esm"
)

// enable returns the handler that enables or disables a mapping.
func (c *console) enable(enabled bool) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		id := strings.ToLower(r.PathValue("id"))
		ctx, cancel := operation(r)
		defer cancel()
		if _, err := c.m.Update(ctx, id, 0, func(m *esm.Mapping) error {
			m.Enabled = &enabled
			return nil
		}); err != nil {
			wrong, err := refusal(err)
			if err != nil {
				return err
			}
			return &pageError{http.StatusUnprocessableEntity, "The mapping cannot be enabled as it is defined; edit it first. " + firstOf(wrong)}
		}
		c.o.logger.Info("a mapping was enabled or disabled by the console", "UUID", id, "Enabled", enabled)
		c.done(w, r, "/mappings/"+id)
		return nil
	}
}

func firstOf(wrong complaints) string {
	for _, texts := range wrong {
		for _, text := range texts {
			return text
		}
	}
	return ""
}

func (c *console) deletePage(w http.ResponseWriter, r *http.Request) error {
	s, ok := c.sampler.one(strings.ToLower(r.PathValue("id")))
	if !ok {
		return &pageError{http.StatusNotFound, "There is no such mapping. It may have been deleted."}
	}
	c.render(w, http.StatusOK, "delete", "Delete mapping", struct {
		Base string
		rowView
		Group string
	}{c.o.prefix, row(s), s.Description.Mapping.GroupID()})
	return nil
}

func (c *console) delete(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(r.PathValue("id"))
	ctx, cancel := operation(r)
	defer cancel()
	if _, err := c.m.Delete(ctx, id); err != nil {
		return err
	}
	c.o.logger.Info("a mapping was deleted by the console", "UUID", id)
	c.done(w, r, "/")
	return nil
}
