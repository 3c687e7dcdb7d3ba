// Rules of the `scan` hook. Each says in its metadata why a file that it matches is refused; each is
// narrow enough that documents, code and pictures of everyday do not match it.
//
// What is looked through may be a part of a file, with its first 64 KiB before it. Known of the whole
// file are: `document_name`, whether its name ends like that of a document, a picture or a recording;
// `is_pdf`, whether readers take it for a PDF, which may begin behind other bytes; `is_rtf`, `is_ole`,
// `is_zip`; `is_picture`, whether it is PNG, JPEG or GIF.

rule eicar_test_file {
  meta:
    reason = "it is the EICAR test file, or holds it"
    note = "68 bytes that every scanner reports, wherever they stand: https://www.eicar.org"
  strings:
    $eicar = { 58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56 49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 21 24 48 2B 48 2A }
  condition:
    $eicar
}

rule program_named_as_document {
  meta:
    reason = "it is a program whose name says that it is a document"
    note = "PE (MZ, and PE where the header says), ELF, Mach-O at the beginning"
  condition:
    document_name and (
      (uint16(0) == 0x5A4D and uint32(uint32(0x3C)) == 0x00004550)
      or uint32be(0) == 0x7F454C46
      or uint32be(0) == 0xFEEDFACE or uint32be(0) == 0xFEEDFACF or uint32be(0) == 0xCFFAEDFE
    )
}

rule document_with_program {
  meta:
    reason = "a Windows program is hidden within the document"
    note = "a whole PE header, uncompressed, within PDF, RTF, OLE, PNG, JPEG or GIF"
  strings:
    $mz = "MZ"
    $stub = "This program cannot be run in DOS mode"
  condition:
    (is_pdf or is_rtf or is_ole or is_picture)
    and $stub
    and for any i in (1..#mz) : (
      uint32(@mz[i] + 0x3C) < 0x1000 and uint32(@mz[i] + uint32(@mz[i] + 0x3C)) == 0x00004550
    )
}

rule macro_that_starts_programs {
  meta:
    reason = "it holds a macro that starts by itself and runs programs"
    note = "a VBA project (OLE) with an event that runs on opening, and a way to a shell"
  strings:
    $open1 = "AutoOpen" nocase
    $open2 = "Auto_Open" nocase
    $open3 = "AutoExec" nocase
    $open4 = "Document_Open" nocase
    $open5 = "Workbook_Open" nocase
    $shell1 = "WScript.Shell" nocase
    $shell2 = "powershell" nocase
    $shell3 = "cmd.exe" nocase
    $shell4 = "Shell.Application" nocase
    $shell5 = "URLDownloadToFile" nocase
    $shell6 = "ShellExecute" nocase
    $shell7 = "winmgmts:" nocase
  condition:
    is_ole and any of ($open*) and any of ($shell*)
}

rule pdf_that_starts_programs {
  meta:
    reason = "it is a PDF that starts a program"
    note = "a Launch action that names a file or a Windows command; ISO 32000 12.6.4.5"
  strings:
    $launch = /\/S\s{0,20}\/Launch\b/
    $what = /\/(Win|F)\s{0,20}(<<|\()/
  condition:
    is_pdf and $launch and $what
}

rule pdf_with_hostile_script {
  meta:
    reason = "it is a PDF with a script that runs on opening and does what exploits do"
    note = "JavaScript with OpenAction or AA, and calls that exploits were made of"
  strings:
    $open = /\/(OpenAction|AA)\b/
    $script = /\/(JS|JavaScript)\b/
    $bad1 = "Collab.collectEmailInfo"
    $bad2 = "util.printf(\"%45000f\""
    $bad3 = "media.newPlayer(null)"
    $bad4 = "unescape(\"%u"
    $bad5 = /exportDataObject\s{0,20}\([^)]{0,200}nLaunch\s{0,20}:\s{0,20}[12]/
  condition:
    is_pdf and $open and $script and any of ($bad*)
}

rule rtf_with_equation_exploit {
  meta:
    reason = "it is an RTF document with an embedded Equation object, as exploits have"
    note = "CVE-2017-11882: the Equation 3.0 class by name or id within objdata"
  strings:
    $object = "\\objdata" nocase
    $name = "4571756174696F6E2E33" nocase
    $id = "02CE020000000000C000000000000046" nocase
  condition:
    is_rtf and $object and ($name or $id)
}

rule link_that_starts_shell {
  meta:
    reason = "it is a Windows link that starts a command shell"
    note = "a shell link (CLSID 00021401-...) whose target or arguments are a script host"
  strings:
    $shell1 = "powershell" nocase ascii wide
    $shell2 = "cmd.exe" nocase ascii wide
    $shell3 = "mshta" nocase ascii wide
    $shell4 = "wscript" nocase ascii wide
  condition:
    uint32be(0) == 0x4C000000 and uint32be(4) == 0x01140200 and any of ($shell*)
}
