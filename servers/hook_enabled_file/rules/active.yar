// Kinds of active content that the `policy` hook can refuse, by the name of the rule: none unless the
// configuration says so, for most of it is harmless.

rule pdf_script {
  meta:
    reason = "PDF with JavaScript"
  strings:
    $script = /\/(JS|JavaScript)\b/
  condition:
    uint32be(0) == 0x25504446 and $script
}

rule pdf_embedded_file {
  meta:
    reason = "PDF with an embedded file"
  strings:
    $file = /\/EmbeddedFiles?\b/
  condition:
    uint32be(0) == 0x25504446 and $file
}

rule office_macro {
  meta:
    reason = "Office document with macros"
  strings:
    $project = "vbaProject.bin"
    $old = "_VBA_PROJECT" wide
  condition:
    (uint32be(0) == 0x504B0304 and $project) or (uint32be(0) == 0xD0CF11E0 and $old)
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
