// Kinds of active content that the `policy` hook can refuse, by the name of the rule: none unless the
// configuration says so, for most of it is harmless.

rule pdf_script {
  meta:
    reason = "PDF with JavaScript"
  strings:
    $script = /\/(JS|JavaScript)\b/
  condition:
    is_pdf and $script
}

rule pdf_embedded_file {
  meta:
    reason = "PDF with an embedded file"
  strings:
    $file = /\/EmbeddedFiles?\b/
  condition:
    is_pdf and $file
}

rule office_macro {
  meta:
    reason = "Office document with macros"
  strings:
    $project = "vbaProject.bin"
    $old = "_VBA_PROJECT" wide
  condition:
    (is_zip and $project) or (is_ole and $old)
}

rule html_script {
  meta:
    reason = "HTML or SVG with a script"
  strings:
    $markup = /<(html|svg|!doctype html)\b/i
    $script = /<script\b/i
  condition:
    $markup and $script
}
