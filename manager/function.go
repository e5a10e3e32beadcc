package manager

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/esm-go/esm"
)

// ErrFunctionNotFound is wrapped by the error of Functions.Resolve for a name that nobody knows.
var ErrFunctionNotFound = errors.New("Function does not exist") // AWS's text, as AWS writes it

// Functions finds what a mapping's FunctionName invokes.
type Functions interface {
	// Resolve returns the handler of a function, which is named as in CreateEventSourceMapping: its name, its partial or
	// its whole ARN, each with a version or an alias or without. For a name that it does not know the error wraps
	// ErrFunctionNotFound; any other error is one that may pass, and is tried again. Safe for concurrent use.
	Resolve(functionName string) (esm.Handler, error)
}

// FunctionsFunc is a func that is a Functions.
type FunctionsFunc func(functionName string) (esm.Handler, error)

// Resolve calls the func.
func (f FunctionsFunc) Resolve(functionName string) (esm.Handler, error) { return f(functionName) }

// Handlers are Functions by name. A key may carry a qualifier ("orders:blue"), which is asked for first; a key without
// one stands for every version and alias. Do not change the map once a Manager has it.
type Handlers map[string]esm.Handler

// Resolve finds the handler by the name within functionName.
func (h Handlers) Resolve(functionName string) (esm.Handler, error) {
	n := ParseFunctionName(functionName)
	for _, key := range []string{functionName, n.Name + ":" + n.Qualifier, n.Name} {
		if handler := h[key]; handler != nil {
			return handler, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrFunctionNotFound, functionName)
}

// FunctionName is a FunctionName in its parts; those that it does not have are empty.
type FunctionName struct {
	Partition, Region, Account, Name, Qualifier string
}

// functionName is AWS's pattern (API reference, CreateEventSourceMapping), in groups.
var functionName = regexp.MustCompile(`^(?:arn:(aws[a-zA-Z-]*):lambda:)?(?:([a-z]{2}[a-z0-9-]*-[0-9]):)?(?:([0-9]{12}):)?(?:function:)?([a-zA-Z0-9_.-]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$`)

// ParseFunctionName takes a function's name or ARN apart. What has neither form is all Name.
func ParseFunctionName(s string) FunctionName {
	p := functionName.FindStringSubmatch(s)
	if p == nil {
		return FunctionName{Name: s}
	}
	return FunctionName{Partition: p[1], Region: p[2], Account: p[3], Name: p[4], Qualifier: p[5]}
}

// ARN is an AWS Region and account as ARNs name them.
type ARN struct {
	// Partition is "aws" where it is empty, Region "us-east-1", Account "000000000000" (twelve digits).
	Partition, Region, Account string
}

func (a ARN) withDefaults() ARN {
	if a.Partition == "" {
		a.Partition = "aws"
	}
	if a.Region == "" {
		a.Region = "us-east-1"
	}
	if a.Account == "" {
		a.Account = "000000000000"
	}
	return a
}

var arnPart = map[string]*regexp.Regexp{
	"Partition": regexp.MustCompile(`^aws[a-zA-Z-]*$`),
	"Region":    regexp.MustCompile(`^(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}$`),
	"Account":   regexp.MustCompile(`^\d{12}$`),
}

func (a ARN) validate() error {
	var errs []error
	for _, part := range []struct{ name, value string }{{"Partition", a.Partition}, {"Region", a.Region}, {"Account", a.Account}} {
		if !arnPart[part.name].MatchString(part.value) {
			errs = append(errs, fmt.Errorf("manager: WithARN: %s = %q: want what AWS's ARNs have, such as aws, eu-west-1 and 123456789012", part.name, part.value))
		}
	}
	return errors.Join(errs...)
}

// function is the ARN of a function, with the qualifier as it was given, as AWS answers it.
func (a ARN) function(name string) string {
	n := ParseFunctionName(name)
	pick := func(given, ours string) string {
		if given != "" {
			return given
		}
		return ours
	}
	arn := strings.Join([]string{"arn", pick(n.Partition, a.Partition), "lambda", pick(n.Region, a.Region), pick(n.Account, a.Account), "function", n.Name}, ":")
	if n.Qualifier != "" {
		arn += ":" + n.Qualifier
	}
	return arn
}

func (a ARN) mapping(uuid string) string {
	return strings.Join([]string{"arn", a.Partition, "lambda", a.Region, a.Account, "event-source-mapping", uuid}, ":")
}

// ARN is what the Manager's ARNs begin with.
func (m *Manager) ARN() ARN { return m.o.arn }

// Function returns the whole ARN of a function, and an error where a mapping could not name it: that of
// Functions.Resolve.
func (m *Manager) Function(name string) (arn string, err error) {
	_, err = m.functions.Resolve(name)
	return m.o.arn.function(name), err
}
