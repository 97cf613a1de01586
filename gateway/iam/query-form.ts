/**
 * The form in the body of a request to IAM or STS: parameters by name, each once; lists as `Tags.member.1.Key`. Pure.
 * Source: AWS, "Making query requests".
 */
import type { AccessTag } from '../../node/core/access-types.ts'
import { invalidParameter, missingParameter, QueryError } from './query-error.ts'

export const formLimits = {
  /** AWS: a policy document of 131,072 characters, escaped; nothing else comes near. */
  bytesMax: 256 * 1024,
  /** 50 tags with key and value, ten policies, and what goes with them. */
  parametersMax: 300,
  /** Entries of a list that is read. */
  membersMax: 100,
} as const

export class QueryForm {
  readonly #parameters: ReadonlyMap<string, string>

  /** Throws QueryError MalformedQueryString. */
  constructor(body: Buffer) {
    const parameters = new Map<string, string>()
    for (const piece of body.toString('utf8').split('&')) {
      if (piece === '') continue
      const at = piece.indexOf('=')
      const name = decode(at < 0 ? piece : piece.slice(0, at))
      if (parameters.has(name)) throw malformed(`the parameter ${name} is given twice`)
      parameters.set(name, at < 0 ? '' : decode(piece.slice(at + 1)))
      if (parameters.size > formLimits.parametersMax) throw malformed('there are too many parameters')
    }
    this.#parameters = parameters
  }

  get action(): string {
    return this.#parameters.get('Action') ?? ''
  }

  get version(): string {
    return this.#parameters.get('Version') ?? ''
  }

  optional(name: string): string | undefined {
    return this.#parameters.get(name)
  }

  /** Throws ValidationError when it is absent or empty. */
  required(name: string): string {
    const value = this.#parameters.get(name)
    if (value === undefined || value === '') throw missingParameter(name)
    return value
  }

  /** Text that matches; undefined when absent. Throws ValidationError. */
  matching(name: string, pattern: RegExp): string | undefined {
    const value = this.#parameters.get(name)
    if (value !== undefined && !pattern.test(value)) throw invalidParameter(name, value, String(pattern))
    return value
  }

  /** Throws ValidationError. */
  requiredMatching(name: string, pattern: RegExp): string {
    this.required(name)
    return this.matching(name, pattern) ?? ''
  }

  /** A whole number within bounds; undefined when absent. Throws ValidationError. */
  integer(name: string, { min, max }: { min: number; max: number }): number | undefined {
    const value = this.#parameters.get(name)
    if (value === undefined) return undefined
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= min && number <= max))
      throw invalidParameter(name, value, `a number from ${min} to ${max}`)
    return number
  }

  boolean(name: string): boolean | undefined {
    const value = this.matching(name, /^(true|false)$/i)
    return value === undefined ? undefined : value.toLowerCase() === 'true'
  }

  /** `<name>.member.1`, `.2` ... without gaps. */
  list(name: string): string[] {
    const values: string[] = []
    for (let at = 1; at <= formLimits.membersMax + 1; at += 1) {
      const value = this.#parameters.get(`${name}.member.${at}`)
      if (value === undefined) return values
      values.push(value)
    }
    throw invalidParameter(name, '', `at most ${formLimits.membersMax} members`)
  }

  /** `<name>.member.1.<field>` ... without gaps. */
  fields(name: string, field: string): string[] {
    const values: string[] = []
    for (let at = 1; at <= formLimits.membersMax; at += 1) {
      const value = this.#parameters.get(`${name}.member.${at}.${field}`)
      if (value === undefined) break
      values.push(value)
    }
    return values
  }

  /** `Tags.member.N.Key` and `.Value`. Throws ValidationError, InvalidInput (a key twice). */
  tags(name = 'Tags'): readonly AccessTag[] {
    const keys = this.fields(name, 'Key')
    const tags = keys.map((key, index) => {
      const value = this.#parameters.get(`${name}.member.${index + 1}.Value`) ?? ''
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key))
        throw invalidParameter(name, key, 'the form of a tag key')
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) {
        throw invalidParameter(name, value, 'the form of a tag value')
      }
      return { key, value }
    })
    if (tags.length > 50) throw invalidParameter(name, String(tags.length), 'at most 50 tags')
    if (new Set(keys.map((key) => key.toLowerCase())).size !== keys.length) {
      throw new QueryError(
        'InvalidInput',
        'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      )
    }
    return tags
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('an escape is not UTF-8')
  }
}

function malformed(why: string): QueryError {
  return new QueryError('MalformedQueryString', `The query string contains a syntax error: ${why}.`)
}
