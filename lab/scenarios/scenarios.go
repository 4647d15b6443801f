// Package scenarios holds the scenarios that havoq ships, as files and embedded: "havoq run NAME" runs one.
package scenarios

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Default is the scenario that "havoq run" runs without an argument.
const Default = "primary-broker-failure"

// Names lists the shipped scenarios by name, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // an embedded folder is always there
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Read returns the text of a shipped scenario. The error names those that there are.
func Read(name string) ([]byte, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no shipped scenario %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return text, nil
}
