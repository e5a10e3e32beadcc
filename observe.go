package esm

import "github.com/esm-go/esm/observe"

// Types for observing a mapping; package observe documents each field.
type (
	Hooks           = observe.Hooks
	BatchInfo       = observe.BatchInfo
	BatchEndInfo    = observe.BatchEndInfo
	RetryInfo       = observe.RetryInfo
	DropInfo        = observe.DropInfo
	FilteredInfo    = observe.FilteredInfo
	CommitInfo      = observe.CommitInfo
	AssignmentInfo  = observe.AssignmentInfo
	OffsetsLostInfo = observe.OffsetsLostInfo
	OperationInfo   = observe.OperationInfo
	StateInfo       = observe.StateInfo
	ScaledInfo      = observe.ScaledInfo
	ErrorInfo       = observe.ErrorInfo
	State           = observe.State
	Status          = observe.Status
	Metrics         = observe.Metrics
)

// The errors that Run and operations return, and the error that a handler's panic becomes; see package observe.
type (
	SourceError   = observe.SourceError
	StuckError    = observe.StuckError
	PanicError    = observe.PanicError
	PositionError = observe.PositionError
)

// The states, their reasons, the reasons for drops, and the operations that can fail; see package observe.
const (
	Creating                     = observe.Creating
	Enabling                     = observe.Enabling
	Enabled                      = observe.Enabled
	Disabling                    = observe.Disabling
	Disabled                     = observe.Disabled
	Updating                     = observe.Updating
	ReasonUserInitiated          = observe.ReasonUserInitiated
	ReasonConfigNotValid         = observe.ReasonConfigNotValid
	ReasonAuthn                  = observe.ReasonAuthn
	ReasonAuthz                  = observe.ReasonAuthz
	ReasonFunctionConfigNotValid = observe.ReasonFunctionConfigNotValid
	DropRetriesExhausted         = observe.DropRetriesExhausted
	DropRecordAge                = observe.DropRecordAge
	DropPermanent                = observe.DropPermanent
	DropSkipped                  = observe.DropSkipped
	OpPoll                       = observe.OpPoll
	OpFetch                      = observe.OpFetch
	OpStart                      = observe.OpStart
	OpCommit                     = observe.OpCommit
	OpLag                        = observe.OpLag
	OpCredentials                = observe.OpCredentials
	OpRotation                   = observe.OpRotation
	OpHandshake                  = observe.OpHandshake
	OpInvoke                     = observe.OpInvoke
	OpBuffer                     = observe.OpBuffer
	OpScale                      = observe.OpScale
	OpGroup                      = observe.OpGroup
	OpHook                       = observe.OpHook
	OpDestination                = observe.OpDestination
	OpClose                      = observe.OpClose
)
