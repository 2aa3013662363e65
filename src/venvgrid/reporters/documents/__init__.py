"""Reports as files, one module a format: JUnit XML, Markdown, HTML, CI annotations, badges; and plans as JSON."""
