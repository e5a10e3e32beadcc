package console

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store"
)

// formView is the page with the form, for a new mapping or for editing one.
type formView struct {
	Base, Action, Back, Submit string
	ID                         string // the mapping being edited
	Revision                   string
	Sections                   []section
	Functions                  []string
	Values                     url.Values
	Wrong                      complaints
}

// fieldView is one field with its value and its problems.
type fieldView struct {
	fieldInfo
	Value     string
	Values    []string
	Fixed     bool
	Wrong     []string
	Functions []string
	Checked   bool
}

func (v formView) field(name string) fieldView {
	for _, s := range v.Sections {
		for _, f := range s.Fields {
			if f.Name != name {
				continue
			}
			out := fieldView{fieldInfo: f, Value: v.Values.Get(name), Values: v.Values[name], Fixed: f.Fixed && v.ID != "", Wrong: v.Wrong[name], Functions: v.Functions}
			out.Values = slices.DeleteFunc(slices.Clone(out.Values), func(s string) bool { return strings.TrimSpace(s) == "" })
			out.Checked = out.Value != ""
			return out
		}
	}
	return fieldView{}
}

// General returns the problems that belong to no particular field.
func (v formView) General() []string { return v.Wrong[""] }

// IsWrong returns the fields with problems, in the order of the page.
func (v formView) IsWrong() (out []fieldInfo) {
	for _, s := range v.Sections {
		for _, f := range s.Fields {
			if len(v.Wrong[f.Name]) > 0 {
				out = append(out, f)
			}
		}
	}
	return out
}

// Opened reports whether a section is shown open: by default, or because of its content.
func (v formView) Opened(s section) bool {
	return s.Open || slices.ContainsFunc(s.Fields, func(f fieldInfo) bool {
		return len(v.Wrong[f.Name]) > 0 || v.Values.Get(f.Name) != ""
	})
}

func (c *console) newForm() formView {
	return formView{Base: c.o.prefix, Action: c.o.prefix + "/add", Back: c.o.prefix + "/", Submit: "Add", Sections: form, Functions: c.o.functions}
}

func (c *console) editForm(d manager.Description) formView {
	v := c.newForm()
	v.ID, v.Submit, v.Revision = d.Mapping.UUID, "Save", strconv.FormatUint(uint64(d.Revision), 10)
	v.Back = c.o.prefix + "/mappings/" + v.ID
	v.Action = v.Back + "/edit"
	return v
}

func (c *console) addPage(w http.ResponseWriter, _ *http.Request) error {
	v := c.newForm()
	v.Values = url.Values{"enabled": {"on"}, "position": {string(esm.TrimHorizon)}, "batch": {"100"}}
	c.render(w, http.StatusOK, "form", "Add mapping", v)
	return nil
}

// read builds a mapping from the form, and returns what is wrong with it.
func (c *console) read(v url.Values, from *esm.Mapping) (esm.Mapping, complaints) {
	r := &reader{v: v, wrong: make(complaints)}
	var m esm.Mapping
	if from != nil {
		m = *from
	} else {
		r.fillNew(&m)
	}
	r.fill(&m)
	for name, texts := range complaintsOf(c.m.Validate(m)) {
		if len(r.wrong[name]) == 0 { // an unreadable value causes the other problems
			r.wrong[name] = append(r.wrong[name], texts...)
		}
	}
	if !c.o.plaintext && len(m.SourceAccessConfigurations) == 0 && len(r.wrong["auth"]) == 0 {
		r.refusef("auth", "Required 'sourceAccessConfigurations' parameter is missing: this service allows no connection without authentication")
	}
	if unknown := slices.IndexFunc(r.wrong[""], func(s string) bool { return strings.Contains(s, manager.ErrFunctionNotFound.Error()) }); unknown >= 0 {
		r.wrong["function"] = append(r.wrong["function"], r.wrong[""][unknown])
		r.wrong[""] = slices.Delete(r.wrong[""], unknown, unknown+1)
	}
	maps.DeleteFunc(r.wrong, func(_ string, texts []string) bool { return len(texts) == 0 })
	return m, r.wrong
}

// validate returns the problems of the fields that the user has touched, while the user types.
func (c *console) validate(w http.ResponseWriter, r *http.Request) error {
	v := c.newForm()
	var from *esm.Mapping
	if id := r.PostForm.Get("id"); id != "" {
		d, err := c.m.Get(id)
		if err != nil {
			return err
		}
		v, from = c.editForm(d), &d.Mapping
	}
	_, v.Wrong = c.read(r.PostForm, from)
	touched := strings.Fields(r.PostForm.Get("touched"))
	maps.DeleteFunc(v.Wrong, func(name string, _ []string) bool { return !slices.Contains(touched, name) })
	v.Values = r.PostForm
	c.part(w, "form", "wrongs", v)
	return nil
}

func (c *console) add(w http.ResponseWriter, r *http.Request) error {
	m, wrong := c.read(r.PostForm, nil)
	ctx, cancel := operation(r)
	defer cancel()
	if len(wrong) == 0 {
		d, err := c.m.Create(ctx, m)
		if err == nil {
			c.o.logger.Info("a mapping was created by the console", "UUID", d.Mapping.UUID)
			c.done(w, r, "/mappings/"+d.Mapping.UUID)
			return nil
		}
		if wrong, err = refusal(err); err != nil {
			return err
		}
	}
	v := c.newForm()
	v.Values, v.Wrong = r.PostForm, wrong
	c.render(w, http.StatusUnprocessableEntity, "form", "Add mapping", v)
	return nil
}

// refusal returns the problems that a user can fix, or the error.
func refusal(err error) (complaints, error) {
	_, conflict := errors.AsType[*manager.ConflictError](err)
	_, field := errors.AsType[*esm.FieldError](err)
	switch {
	case conflict, field, errors.Is(err, esm.ErrNotSupported), errors.Is(err, manager.ErrFunctionNotFound):
		return complaintsOf(err), nil
	case errors.Is(err, manager.ErrStale):
		return complaints{"": {"The mapping has changed since this page was opened. Go back, reload it, and edit again."}}, nil
	}
	return nil, err
}

func (c *console) editPage(w http.ResponseWriter, r *http.Request) error {
	d, err := c.m.Get(strings.ToLower(r.PathValue("id")))
	if err != nil {
		return err
	}
	v := c.editForm(d)
	v.Values = valuesOf(d.Mapping)
	c.render(w, http.StatusOK, "form", "Edit mapping", v)
	return nil
}

func (c *console) edit(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(r.PathValue("id"))
	d, err := c.m.Get(id)
	if err != nil {
		return err
	}
	revision, err := strconv.ParseUint(r.PostForm.Get("revision"), 10, 64)
	if err != nil || revision == 0 {
		return &pageError{http.StatusBadRequest, "The form has no revision. Open the page again."}
	}
	m, wrong := c.read(r.PostForm, &d.Mapping)
	ctx, cancel := operation(r)
	defer cancel()
	if len(wrong) == 0 {
		_, err := c.m.Update(ctx, id, store.Revision(revision), func(is *esm.Mapping) error {
			*is = m
			return nil
		})
		if err == nil {
			c.o.logger.Info("a mapping was changed by the console", "UUID", id)
			c.done(w, r, "/mappings/"+id)
			return nil
		}
		if wrong, err = refusal(err); err != nil {
			return err
		}
	}
	v := c.editForm(d)
	v.Revision = r.PostForm.Get("revision")
	v.Values, v.Wrong = r.PostForm, wrong
	for name, values := range valuesOf(d.Mapping) { // fixed fields are not in the form
		if v.field(name).Fixed {
			v.Values[name] = values
		}
	}
	c.render(w, http.StatusUnprocessableEntity, "form", "Edit mapping", v)
	return nil
}
