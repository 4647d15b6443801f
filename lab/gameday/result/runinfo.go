package result

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// RunSchema is the version of run.json.
const RunSchema = "havoq.run/1"

// RunInfo is run.json: what is known of a run before it starts, and not told by its history. It is written first, so that even
// a run that is killed can be judged.
type RunInfo struct {
	Schema      string            `json:"schema"`
	Name        string            `json:"name"` // the run folder's name
	Scenario    string            `json:"scenario"`
	Seed        uint64            `json:"seed"`
	Started     time.Time         `json:"started"`
	Roles       map[string]string `json:"roles,omitempty"`
	Environment Environment       `json:"environment"`
	Again       string            `json:"again"` // the command that repeats it
}

// WriteRunInfo writes run.json into a run folder. An empty Schema is filled in.
func WriteRunInfo(dir string, info RunInfo) error {
	if info.Schema == "" {
		info.Schema = RunSchema
	}
	return WriteFile(filepath.Join(dir, RunFile), func(w io.Writer) error { return writeJSON(w, info) })
}

// ReadRunInfo reads run.json of a run folder. Another schema is an error: its meaning is not known.
func ReadRunInfo(dir string) (RunInfo, error) {
	path := filepath.Join(dir, RunFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return RunInfo{}, fmt.Errorf("read what is known of the run (is %s a run folder?): %w", dir, err)
	}
	var info RunInfo
	if err := json.Unmarshal(text, &info); err != nil {
		return RunInfo{}, fmt.Errorf("%s: %w", path, err)
	}
	if info.Schema != RunSchema {
		return RunInfo{}, fmt.Errorf("%s: schema %q is not known to this version of havoq, which reads %q", path, info.Schema, RunSchema)
	}
	return info, nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
