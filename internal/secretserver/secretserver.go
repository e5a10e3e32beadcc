// Package secretserver implements the part of AWS Secrets Manager's API that the library and its tests need when
// neither AWS nor moto is available: CreateSecret, PutSecretValue and GetSecretValue. It checks no signature.
package secretserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is an http.Handler that holds secrets in memory. The zero Server is ready. It is safe for concurrent use.
type Server struct {
	mu      sync.Mutex
	secrets map[string]*secret // by ARN
}

type secret struct {
	name    string
	value   value
	version int
}

// value is a secret's value, in the API's names.
type value struct {
	SecretString string `json:",omitempty"`
	SecretBinary []byte `json:",omitempty"`
}

// input holds the parameters of all three calls.
type input struct {
	Name, SecretId string
	value
}

// maxBody bounds a request: the largest secret, escaped.
const maxBody = 1 << 20

// ServeHTTP answers one call of the API (AWS JSON 1.1).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in input
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		fail(w, "SerializationException", "the request is not JSON")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); call {
	case "CreateSecret":
		s.create(w, r, in)
	case "PutSecretValue":
		if arn, found := s.find(w, in.SecretId); found != nil {
			found.value = in.value
			found.version++
			answer(w, found.about(arn))
		}
	case "GetSecretValue":
		if arn, found := s.find(w, in.SecretId); found != nil {
			out := found.about(arn)
			out["CreatedDate"] = float64(time.Now().Unix())
			if found.value.SecretBinary != nil {
				out["SecretBinary"] = found.value.SecretBinary
			} else {
				out["SecretString"] = found.value.SecretString
			}
			answer(w, out)
		}
	default:
		fail(w, "UnknownOperationException", fmt.Sprintf("%.80q is not among the calls that this server has", call))
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, in input) {
	region := "us-east-1"
	// Credential=KEY/DATE/REGION/secretsmanager/aws4_request
	if parts := strings.Split(r.Header.Get("Authorization"), "/"); len(parts) > 2 {
		region = parts[2]
	}
	arn := "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + in.Name + "-AbCdEf"
	if s.secrets[arn] != nil {
		fail(w, "ResourceExistsException", "The operation failed because the secret "+in.Name+" already exists.")
		return
	}
	if s.secrets == nil {
		s.secrets = map[string]*secret{}
	}
	s.secrets[arn] = &secret{name: in.Name, value: in.value, version: 1}
	answer(w, s.secrets[arn].about(arn))
}

// find looks up an ARN, with or without its six random characters, or a name.
func (s *Server) find(w http.ResponseWriter, id string) (string, *secret) {
	for arn, found := range s.secrets {
		if id == arn || id+"-AbCdEf" == arn || id == found.name {
			return arn, found
		}
	}
	fail(w, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	return "", nil
}

func (s *secret) about(arn string) map[string]any {
	return map[string]any{"ARN": arn, "Name": s.name, "VersionId": fmt.Sprintf("00000000-0000-4000-8000-%012d", s.version), "VersionStages": []string{"AWSCURRENT"}}
}

func answer(w http.ResponseWriter, out map[string]any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out) // the client is gone
}

func fail(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"__type": code, "message": message}) // the client is gone
}
