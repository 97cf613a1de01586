/**
 * XML of S3: writing answers by a thin layer of strings, reading bodies through fast-xml-parser.
 *
 * Reading refuses document types and entities beyond the five of XML before anything is parsed; sizes are bounded
 * by whoever collected the body. Anything unexpected is MalformedXML, never a crash.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { S3Error } from './errors.ts'

export const s3Namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'
export const xmlHead = '<?xml version="1.0" encoding="UTF-8"?>\n'

const special = /[&<>"'\p{Cc}\ufffe\uffff]/u
const specials = /[&<>"'\p{Cc}\ufffe\uffff]/gu
const named: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

/** Text for element content. Control characters become references, as AWS writes them (clients that care ask for encoding-type=url). */
export function escapeXml(text: string): string {
  if (!special.test(text)) return text
  return text.replace(
    specials,
    (char) => named[char] ?? `&#x${char.charCodeAt(0).toString(16).toUpperCase()};`,
  )
}

/** `<name>text</name>`; nothing when `value` is undefined. `name` is ours, never input. */
export function element(name: string, value: string | number | boolean | undefined): string {
  if (value === undefined) return ''
  return `<${name}>${typeof value === 'string' ? escapeXml(value) : value}</${name}>`
}

/** `<name>` around markup that is already escaped. */
export function wrap(name: string, ...markup: string[]): string {
  return `<${name}>${markup.join('')}</${name}>`
}

/** A whole answer: declaration, root in the S3 namespace. */
export function document(root: string, ...markup: string[]): string {
  return `${xmlHead}<${root} xmlns="${s3Namespace}">${markup.join('')}</${root}>`
}

/** A parsed element: its text, or its children by name, in document order within a name. */
export interface XmlNode {
  readonly text: string
  readonly children: ReadonlyMap<string, readonly XmlNode[]>
}

const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  preserveOrder: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: '#cdata',
})

const textName = '#text'
const cdataName = '#cdata'
const depthMax = 8

function decodeReference(whole: string, body: string): string {
  switch (body) {
    case 'amp':
      return '&'
    case 'lt':
      return '<'
    case 'gt':
      return '>'
    case 'quot':
      return '"'
    case 'apos':
      return "'"
  }
  const code = body.startsWith('#x') ? Number.parseInt(body.slice(2), 16) : Number.parseInt(body.slice(1), 10)
  const scalar = body.startsWith('#') && code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  if (!scalar) throw malformed(`unknown entity ${whole}`)
  return String.fromCodePoint(code)
}

function decodeText(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&([^;&]{0,12});?/g, (whole, body: string) => {
    if (!whole.endsWith(';')) throw malformed('an ampersand stands alone')
    return decodeReference(whole, body)
  })
}

function malformed(reason: string, cause?: unknown): S3Error {
  return new S3Error('MalformedXML', undefined, { cause: cause ?? new Error(reason) })
}

function cdataText(value: unknown): string {
  if (!Array.isArray(value)) return ''
  return (value as readonly Record<string, unknown>[]).map((entry) => String(entry[textName] ?? '')).join('')
}

function toNode(ordered: unknown, depth: number): XmlNode {
  if (!Array.isArray(ordered)) throw malformed('not an element')
  if (depth > depthMax) throw malformed('too deep')
  let text = ''
  const children = new Map<string, XmlNode[]>()
  for (const entry of ordered as readonly Record<string, unknown>[]) {
    for (const [name, value] of Object.entries(entry)) {
      if (name === ':@') continue
      if (name === textName) {
        text += decodeText(String(value))
        continue
      }
      if (name === cdataName) {
        text += cdataText(value)
        continue
      }
      const node = toNode(value, depth + 1)
      const siblings = children.get(name)
      if (siblings === undefined) children.set(name, [node])
      else siblings.push(node)
    }
  }
  return { text, children }
}

/** Parses a body whose root must be `root`. Throws MalformedXML. */
export function parseXml(body: Buffer, root: string): XmlNode {
  const text = body.toString('utf8').replace(/^\ufeff/, '')
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw malformed('document types are not allowed')
  let ordered: unknown
  try {
    const verdict = XMLValidator.validate(text)
    if (verdict !== true) throw malformed(verdict.err.msg)
    ordered = parser.parse(text)
  } catch (error) {
    throw error instanceof S3Error ? error : malformed('not XML', error)
  }
  const top = toNode(ordered, 0).children
  const found = top.get(root)
  if (found?.[0] === undefined || found.length !== 1 || top.size !== 1) throw malformed(`root is not ${root}`)
  return found[0]
}

/** Text of the only child with this name; undefined when absent. Throws MalformedXML when there are several. */
export function childText(node: XmlNode, name: string): string | undefined {
  const found = node.children.get(name)
  if (found === undefined) return undefined
  if (found.length > 1 || found[0] === undefined) throw malformed(`more than one ${name}`)
  return found[0].text
}

/** As childText, but the child must be there. */
export function requiredText(node: XmlNode, name: string): string {
  const text = childText(node, name)
  if (text === undefined) throw malformed(`${name} is missing`)
  return text
}
