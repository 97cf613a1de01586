import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../../../gateway/s3/errors.ts'
import {
  childText,
  document,
  element,
  escapeXml,
  parseXml,
  requiredText,
  wrap,
} from '../../../gateway/s3/xml.ts'
import { codeOf } from './s3-error-of.ts'

test('what is written as an element is read back, whatever characters it holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      // NUL is no character of XML in any spelling; S3 keys with it are listed with encoding-type=url.
      fc.pre(!text.includes('\0') && text.isWellFormed())
      const body = Buffer.from(document('Root', wrap('Inner', element('Key', text))))
      const inner = parseXml(body, 'Root').children.get('Inner')?.[0]
      assert.equal(inner && childText(inner, 'Key'), text)
    }),
  )
})

test('control characters become references and never raw bytes', () => {
  assert.equal(escapeXml('a\u0001\r\n<&>"\''), 'a&#x1;&#xD;&#xA;&lt;&amp;&gt;&quot;&apos;')
})

test('namespaces, declarations, comments and CDATA are read as AWS reads them', () => {
  const text =
    '\ufeff<?xml version="1.0"?><!-- c --><s:Delete xmlns:s="x"><Object a="1"><Key><![CDATA[a&amp;b]]></Key></Object></s:Delete>'
  const object = parseXml(Buffer.from(text), 'Delete').children.get('Object')?.[0]
  assert.equal(object && requiredText(object, 'Key'), 'a&amp;b')
})

test('what is not the expected document is MalformedXML', () => {
  const bad = [
    '',
    'text',
    '<Other/>',
    '<Delete>',
    '<Delete></Other>',
    '<Delete/><Delete/>',
    '<Delete>&unknown;</Delete>',
    '<Delete>&#0;</Delete>',
    '<Delete>&#xD800;</Delete>',
    '<Delete>a & b</Delete>',
    `${'<Delete>'.repeat(20)}${'</Delete>'.repeat(20)}`,
  ]
  for (const text of bad)
    assert.equal(
      codeOf(() => parseXml(Buffer.from(text), 'Delete')),
      'MalformedXML',
      text,
    )
})

test('document types and entities are refused before anything is parsed', () => {
  const bomb =
    '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
  assert.equal(
    codeOf(() => parseXml(Buffer.from(bomb), 'Delete')),
    'MalformedXML',
  )
  assert.equal(
    codeOf(() => parseXml(Buffer.from('<!doctype x><Delete/>'), 'Delete')),
    'MalformedXML',
  )
})

test('an element that must stand once is refused twice or missing', () => {
  const node = parseXml(Buffer.from('<R><A>1</A><A>2</A></R>'), 'R')
  assert.equal(
    codeOf(() => childText(node, 'A')),
    'MalformedXML',
  )
  assert.equal(
    codeOf(() => requiredText(node, 'B')),
    'MalformedXML',
  )
  assert.equal(childText(node, 'B'), undefined)
})

test('names of Object.prototype are refused or read, and change nothing', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    const code = codeOf(() => parseXml(Buffer.from(`<R><${name}>1</${name}></R>`), 'R'))
    assert.ok(code === 'MalformedXML' || code === 'no error', `${name}: ${code}`)
    assert.equal(({} as Record<string, unknown>)['1'], undefined)
  }
})

test('whatever a body holds, parsing ends in a node or MalformedXML', () => {
  const pieces = fc.constantFrom(
    '<Delete>',
    '</Delete>',
    '<Object>',
    '</Object>',
    '<Key>',
    '</Key>',
    '&amp;',
    '&',
    '<',
    '>',
    '<![CDATA[',
    ']]>',
    '<!--',
    '-->',
    '<?',
    '?>',
    '__proto__',
    '="',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }), (parts) => {
      try {
        parseXml(Buffer.from(parts.join('')), 'Delete')
      } catch (error) {
        assert.ok(error instanceof S3Error, String(error))
        assert.equal(error.code, 'MalformedXML')
      }
    }),
    { numRuns: 1000 },
  )
})
