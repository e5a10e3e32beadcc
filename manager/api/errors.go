package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
)

// failure is an error answer in AWS's form.
type failure struct {
	status  int
	name    string // X-Amzn-Errortype
	message string
	detail  string // our addition: more than AWS's text says
	header  http.Header
}

func (f *failure) Error() string { return f.name + ": " + f.message }

// capitalMessage are the exceptions whose text is called Message in AWS's model. The others have message.
var capitalMessage = map[string]bool{"ResourceInUseException": true, "ResourceNotFoundException": true, "ServiceException": true}

// body returns the failure as JSON.
func (f *failure) body() []byte {
	kind := "User"
	if f.status >= 500 {
		kind = "Service"
	}
	members := map[string]string{"Type": kind}
	if capitalMessage[f.name] {
		members["Message"] = f.message
	} else {
		members["message"] = f.message
	}
	if f.detail != "" && f.detail != f.message {
		members["Detail"] = f.detail
	}
	if f.name == "TooManyRequestsException" {
		members["Reason"] = "CallerRateLimitExceeded"
	}
	body, err := json.Marshal(members)
	if err != nil {
		return []byte("{}")
	}
	return body
}

func invalidParameter(message, detail string) *failure {
	return &failure{status: http.StatusBadRequest, name: "InvalidParameterValueException", message: message, detail: detail}
}

func validation(message string) *failure {
	return &failure{status: http.StatusBadRequest, name: "ValidationException", message: message}
}

func serialization(message string) *failure {
	return &failure{status: http.StatusBadRequest, name: "SerializationException", message: message}
}

func unknownOperation(method string) *failure {
	return &failure{status: http.StatusNotFound, name: "UnknownOperationException", message: "There is no operation with this method (" + method + ") and path. Event source mappings are at /2015-03-31/event-source-mappings, tags at /2017-03-31/tags"}
}

// AWS's texts, as observed on AWS.
const (
	textNoResource   = "The resource you requested does not exist."
	textNoFunction   = "Function does not exist"
	textNoSource     = "Unrecognized event source."
	textNoAccess     = "Required 'sourceAccessConfigurations' parameter is missing."
	textBadFilter    = "Invalid filter pattern definition."
	textOnSuccess    = "Unsupported DestinationConfig parameter for given event source mapping type."
	textUpdateInUse  = "Cannot update the event source mapping because it is in use."
	textDeleteInUse  = "Cannot delete the event source mapping because it is in use."
	textNotSupported = "not supported"
)

// failureOf turns a Manager's error into AWS's answer.
func (h *handler) failureOf(err error, inUse string) *failure {
	var known *failure
	var conflict *manager.ConflictError
	var field *esm.FieldError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, manager.ErrNotFound):
		return &failure{status: http.StatusNotFound, name: "ResourceNotFoundException", message: textNoResource}
	case errors.Is(err, manager.ErrInUse):
		return &failure{status: http.StatusBadRequest, name: "ResourceInUseException", message: inUse}
	case errors.As(err, &conflict):
		return &failure{status: http.StatusConflict, name: "ResourceConflictException", message: conflict.Error()}
	case errors.Is(err, manager.ErrFunctionNotFound):
		return invalidParameter(textNoFunction, err.Error())
	case errors.As(err, &field), errors.Is(err, esm.ErrNotSupported), errors.Is(err, esm.ErrInvalidMapping):
		return parameterFailure(err)
	}
	h.o.logger.Error("a request to the API of event source mappings failed", "err", err)
	return &failure{status: http.StatusInternalServerError, name: "ServiceException", message: err.Error()}
}

// parameterFailure describes what is wrong with a mapping. If AWS has a text for it, that is the message, and our text
// is the detail.
func parameterFailure(err error) *failure {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "esm: ")
	}
	text := strings.Join(lines, "; ")
	for _, aws := range []string{textNoSource, textBadFilter, textOnSuccess} {
		if strings.Contains(text, aws) {
			return invalidParameter(aws, text)
		}
	}
	return invalidParameter(text, "")
}
