// Package report turns the result of a run into what people and machines read: report.html (one file, no network), report.md,
// junit.xml, and the sentences of the plain output. It draws only what is in the result; nothing is judged here.
package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"path/filepath"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

//go:embed template.html
var pageTemplate string

//go:embed style.css
var style string

// WriteAll writes report.html, report.md and junit.xml into a run folder, each whole or not at all.
func WriteAll(dir string, r *result.Result) error {
	write := func(name string, render func(io.Writer, *result.Result) error) error {
		return result.WriteFile(filepath.Join(dir, name), func(w io.Writer) error { return render(w, r) })
	}
	return errors.Join(
		write(result.HTMLFile, HTML),
		write(result.MarkdownFile, Markdown),
		write(result.JUnitFile, JUnit),
	)
}

// HTML writes the report as one page that needs no network: its content security policy forbids everything but its own style
// sheet, so that not even a hostile name in the result could load or run anything. The output depends on r alone.
func HTML(w io.Writer, r *result.Result) error {
	t, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("report template: %w", err)
	}
	if err := t.Execute(w, newPage(r)); err != nil {
		return fmt.Errorf("write the HTML report of %s: %w", r.Run, err)
	}
	return nil
}

// policy allows the page's own style sheet, by its hash, and nothing else.
func policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}
