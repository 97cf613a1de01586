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

/** MalformedXML; `reason` goes to the log, not to the client, as with AWS. */
export function malformed(reason: string, cause?: unknown): S3Error {
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

/** The only child with this name; undefined when absent. Throws MalformedXML when there are several. */
export function child(node: XmlNode, name: string): XmlNode | undefined {
  const found = node.children.get(name)
  if (found === undefined) return undefined
  if (found.length > 1) throw malformed(`more than one ${name}`)
  return found[0]
}

/** All children with this name, in document order. */
export function childrenOf(node: XmlNode, name: string): readonly XmlNode[] {
  return node.children.get(name) ?? []
}

/** Throws MalformedXML for a child that the schema does not know: an element that is not understood is never dropped. */
export function checkChildren(node: XmlNode, names: readonly string[]): void {
  for (const name of node.children.keys()) if (!names.includes(name)) throw malformed(`${name} is unknown`)
}

/** One of the words of an enumeration, which are case-sensitive. Throws MalformedXML for any other. */
export function word<const Word extends string>(text: string, words: readonly Word[]): Word {
  const found = words.find((candidate) => candidate === text)
  if (found === undefined) throw malformed(`${text} is none of ${words.join(', ')}`)
  return found
}

/** A whole number as xsd:int writes it, sign and surrounding white space allowed. Throws MalformedXML. */
export function integerText(text: string): number {
  const trimmed = text.trim()
  if (!/^[+-]?\d{1,19}$/.test(trimmed)) throw malformed(`${trimmed} is no integer`)
  return Number(trimmed)
}

/** `true`, `false`, `1` or `0`, as xsd:boolean has it. Throws MalformedXML. */
export function booleanText(text: string): boolean {
  return ['true', '1'].includes(word(text.trim().toLowerCase(), ['true', 'false', '1', '0']))
}
