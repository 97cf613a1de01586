/**
 * A POST form as a request: its fields stand for the headers, the key and the body of a PutObject.
 *
 * Invariant: of the HTTP request itself nothing counts but its address and its body: what its headers would ask for is
 * covered by no policy. Who signed the form is decided in auth/.
 * Source: AWS, "POST Object", "Browser-Based Uploads Using POST".
 */
import type { GatewayLimits } from '../limits.ts'
import { entityTooLarge, type OpenEnd } from './body.ts'
import { invalidArgument, S3Error } from './errors.ts'
import { FormReader, parseBoundary } from './form.ts'
import type { Headers } from './headers.ts'
import type { BytesRange } from './post-policy.ts'
import { decodeTagging, taggingHeader } from './tagging.ts'
import type { WireBody } from './wire.ts'
import { parseXml } from './xml.ts'

export interface PostForm {
  /** By lower-case name, `${filename}` expanded; `bucket` is the bucket of the address. */
  readonly fields: ReadonlyMap<string, string>
  readonly key: string
  /** The file's bytes. */
  readonly file: FormReader
}

/** Reads up to the file. Throws MissingContentLength, EntityTooLarge, InvalidArgument, and what FormReader throws. */
export async function readPostForm(request: {
  readonly wire: WireBody
  readonly headers: Headers
  readonly bucketName: string
  readonly limits: GatewayLimits
}): Promise<PostForm> {
  const { wire, headers, bucketName, limits } = request
  const boundary = parseBoundary(headers['content-type'])
  const length = headers['content-length']
  if (length === undefined || !/^\d{1,16}$/.test(length)) throw new S3Error('MissingContentLength')
  const file = new FormReader(wire, { boundary, bodyBytes: Number(length), limits })
  const form = await file.readFields()
  const fileBytesMin = file.fileBytesMax - limits.formTailBytesMax
  if (fileBytesMin > limits.objectBytesMax) throw entityTooLarge(fileBytesMin, limits.objectBytesMax)
  const fields = new Map<string, string>()
  for (const [name, value] of form.fields) fields.set(name, expand(value, form.fileName, limits))
  fields.set('bucket', bucketName)
  const key = fields.get('key') ?? ''
  if (key === '') throw missingField('key')
  return { fields, key, file }
}

/** AWS expands the variable in every field, before the policy is looked at. */
function expand(value: string, fileName: string, { formFieldsBytesMax }: GatewayLimits): string {
  const parts = value.split(/\$\{filename\}/)
  if ((parts.length - 1) * fileName.length > formFieldsBytesMax) {
    throw new S3Error('MaxPostPreDataLengthExceeded', undefined, {
      details: { MaxPostPreDataLengthBytes: formFieldsBytesMax },
    })
  }
  return parts.join(fileName)
}

/** InvalidArgument in the words of AWS. */
export function missingField(name: string): S3Error {
  return invalidArgument(
    name,
    '',
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
  )
}

/** How long the body of a form is: what is sure, and what may follow. Throws EntityTooLarge. */
export function fileBounds(
  file: FormReader,
  range: BytesRange,
  limits: GatewayLimits,
): { bytes: number; openEnd: OpenEnd } {
  const bytes = Math.max(0, file.fileBytesMax - limits.formTailBytesMax)
  const bytesMax = Math.min(range.bytesMax, limits.objectBytesMax)
  if (bytes > bytesMax) throw entityTooLarge(bytes, bytesMax)
  return {
    bytes,
    openEnd: { tailBytesMax: limits.formTailBytesMax, bytesMin: range.bytesMin, bytesMax },
  }
}

/** Fields that are headers of PutObject by the same name, beside `x-amz-*`. */
const headerFields: ReadonlySet<string> = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-md5',
  'content-type',
  'expires',
])
/** Fields that vouch for the form, and say nothing of the object. */
const authenticationFields: ReadonlySet<string> = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-signature',
])
const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
const headerText = /^[\t\x20-\x7e\x80-\xff]*$/

/** The fields as headers of a PutObject, text as on the wire (latin1). Throws InvalidArgument for what no header can hold. */
export function formHeaders(fields: ReadonlyMap<string, string>): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) {
    const isHeader = name.startsWith('x-amz-') ? !authenticationFields.has(name) : headerFields.has(name)
    if (isHeader) headers[name] = headerValue(name, value)
  }
  const acl = fields.get('acl')
  if (acl !== undefined) headers['x-amz-acl'] = headerValue('acl', acl)
  const tagging = fields.get('tagging')
  if (tagging !== undefined && tagging !== '') headers[taggingHeader] = taggingText(tagging)
  return headers
}

function headerValue(name: string, value: string): string {
  const text = Buffer.from(value, 'utf8').toString('latin1').trim()
  if (!headerName.test(name) || !headerText.test(text)) {
    throw invalidArgument(name, value, 'The value cannot be kept as a header.')
  }
  return text
}

/** A form has the tags as the document of PutObjectTagging, a header as a query. */
function taggingText(xml: string): string {
  const tags = Object.entries(decodeTagging(parseXml(Buffer.from(xml, 'utf8'), 'Tagging'), 'object'))
  return tags.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&')
}
