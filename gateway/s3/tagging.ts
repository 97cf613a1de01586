/**
 * Tags of objects and buckets: the Tagging document, the `x-amz-tagging` header, and the rules that both obey.
 *
 * Invariant: tags that leave here have unique keys, lengths within AWS's bounds and only the characters that AWS
 * allows; their order is the client's. Where tags are kept is the store's business.
 * Source: AWS, "Tag" and "PutObjectTagging", Amazon S3 API Reference; "Categorizing your objects using tags".
 */
import type { Tags } from '../../node/core/bucket-configuration.ts'
import { invalidArgument, S3Error } from './errors.ts'
import {
  checkChildren,
  child,
  childrenOf,
  document,
  element,
  malformed,
  requiredText,
  wrap,
  type XmlNode,
} from './xml.ts'

/** A tag as it is written; checked, they are kept as `Tags`. */
export interface Tag {
  readonly key: string
  readonly value: string
}

export type Tagged = 'object' | 'bucket'

/** AWS: tags of one resource. */
export const tagsMax: Readonly<Record<Tagged, number>> = { object: 10, bucket: 50 }
/** AWS: characters, not bytes. */
const keyCharsMax = 128
const valueCharsMax = 256
const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u
/** Tags that AWS gives itself; nobody else may write them, in any case. */
const systemPrefix = /^aws:/i

/** Throws InvalidTag and, for too many tags of a bucket, BadRequest. */
export function checkTags(tags: readonly Tag[], tagged: Tagged): Tags {
  checkCount(tags.length, tagged)
  const seen = new Set<string>()
  for (const { key, value } of tags) {
    checkKeyText(key)
    if (!isTagText(value, valueCharsMax)) {
      throw new S3Error('InvalidTag', 'The TagValue you have provided is invalid', {
        details: { TagKey: key, TagValue: value },
      })
    }
    if (seen.has(key)) {
      throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key', {
        details: { TagKey: key },
      })
    }
    seen.add(key)
  }
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]))
}

/**
 * AWS answers BadRequest for both; for objects, the reference documents InvalidTag for whatever "did not pass input
 * validation", and that is what ceph's suite expects.
 */
function checkCount(count: number, tagged: Tagged): void {
  if (count <= tagsMax[tagged]) return
  if (tagged === 'object') {
    throw new S3Error('InvalidTag', `Object tags cannot be greater than ${tagsMax.object}`)
  }
  throw new S3Error('BadRequest', `Bucket tag count cannot be greater than ${tagsMax.bucket}`)
}

function checkKeyText(key: string): void {
  if (systemPrefix.test(key)) {
    throw new S3Error('InvalidTag', 'System tags cannot be added/updated by requester', {
      details: { TagKey: key },
    })
  }
  // Tags are kept as a map; this one name does not come back from every decoder.
  if (key === '' || key === '__proto__' || !isTagText(key, keyCharsMax)) {
    throw new S3Error('InvalidTag', 'The TagKey you have provided is invalid', { details: { TagKey: key } })
  }
}

function isTagText(text: string, charsMax: number): boolean {
  // Every character is one or two units of a string: only texts in between need counting.
  if (text.length > charsMax && (text.length > 2 * charsMax || [...text].length > charsMax)) return false
  return allowed.test(text)
}

/** A `Tag` element, not yet checked. Throws MalformedXML. */
export function decodeTag(node: XmlNode): Tag {
  checkChildren(node, ['Key', 'Value'])
  return { key: requiredText(node, 'Key'), value: requiredText(node, 'Value') }
}

/** The `Tagging` document of PutObjectTagging, PutBucketTagging and POST forms. Throws MalformedXML and as checkTags. */
export function decodeTagging(root: XmlNode, tagged: Tagged): Tags {
  checkChildren(root, ['TagSet'])
  const set = child(root, 'TagSet')
  if (set === undefined) throw malformed('TagSet is missing')
  return decodeTagSet(set, tagged)
}

/** A `TagSet` element, or anything that holds `Tag` elements and nothing else. Throws as decodeTagging. */
export function decodeTagSet(node: XmlNode, tagged: Tagged): Tags {
  checkChildren(node, ['Tag'])
  return checkTags(childrenOf(node, 'Tag').map(decodeTag), tagged)
}

/** `<Tag>` elements without anything around them. */
export function encodeTags(tags: Tags): string {
  return Object.entries(tags)
    .map(([key, value]) => wrap('Tag', element('Key', key), element('Value', value)))
    .join('')
}

/** The answer of GetObjectTagging and GetBucketTagging. */
export function encodeTagging(tags: Tags): string {
  return document('Tagging', wrap('TagSet', encodeTags(tags)))
}

/** Context keys of policies that a Tagging document of an object decides. */
export function tagKeys(tags: Tags): Readonly<Record<string, readonly string[]>> {
  const keys: Record<string, readonly string[]> = { 's3:requestobjecttagkeys': Object.keys(tags) }
  for (const [key, value] of Object.entries(tags)) {
    const name = `s3:requestobjecttag/${key.toLowerCase()}`
    // Names of context keys have no case: two tags may meet in one.
    keys[name] = [...(keys[name] ?? []), value]
  }
  return keys
}

export const taggingHeader = 'x-amz-tagging'

/**
 * The `x-amz-tagging` header of PutObject, CopyObject and CreateMultipartUpload: tags as URL query parameters. Header
 * text is one character a byte (headers.ts), so that raw UTF-8 decodes like its escapes.
 * Absent or empty: no tags. Throws InvalidArgument for what is no query or names a key twice; else as checkTags.
 */
export function decodeTaggingHeader(header: string | undefined): Tags {
  if (header === undefined || header === '') return {}
  const tags: Tag[] = []
  const seen = new Set<string>()
  for (const piece of header.split('&')) {
    if (piece === '') continue
    const at = piece.indexOf('=')
    const key = decodeComponent(at < 0 ? piece : piece.slice(0, at), header)
    if (seen.has(key)) throw wrongHeader(header)
    seen.add(key)
    tags.push({ key, value: at < 0 ? '' : decodeComponent(piece.slice(at + 1), header) })
  }
  return checkTags(tags, 'object')
}

function decodeComponent(text: string, header: string): string {
  const plain = Buffer.from(text, 'latin1').toString('utf8').replaceAll('+', ' ')
  try {
    return decodeURIComponent(plain)
  } catch {
    // The escapes are not UTF-8: the answer says all there is to say.
    throw wrongHeader(header)
  }
}

function wrongHeader(header: string): S3Error {
  return invalidArgument(
    taggingHeader,
    header,
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
  )
}
