/**
 * A key of a versioned bucket as a sequential object: its versions and delete markers, newest first, and which of them
 * are on legal hold. For judging histories.
 */
import type { Model } from './linearizability.ts'

export type VersionInput =
  | { readonly op: 'get' }
  | { readonly op: 'get-version'; readonly versionId: string }
  | { readonly op: 'list' }
  | { readonly op: 'put'; readonly versionId: string; readonly onlyNew: boolean }
  | { readonly op: 'delete'; readonly markerId: string }
  | { readonly op: 'delete-version'; readonly versionId: string }
  | { readonly op: 'hold'; readonly versionId: string }

/** `found`: an id, `!` in front of a marker's; `ids`: so written, newest first; `refused`: the code of the error. */
export type VersionOutput =
  | { readonly found: string | undefined }
  | { readonly ids: readonly string[] }
  | { readonly existed: boolean }
  | { readonly done: true }
  | { readonly refused: string }

interface KeyState {
  /** Markers with `!` in front. */
  readonly entries: readonly string[]
  readonly held: readonly string[]
}

export const versionedKey: Model<KeyState, VersionInput, VersionOutput> = {
  initial: { entries: [], held: [] },
  name: ({ entries, held }) => `${entries.join(' ')} / ${held.join(' ')}`,
  step: (state, input, output) => {
    const { entries } = state
    const answer = (expected: VersionOutput, next: KeyState = state) => {
      return output === undefined || JSON.stringify(output) === JSON.stringify(expected) ? next : undefined
    }
    const named = (id: string) => entries.find((entry) => entry === id || entry === `!${id}`)
    switch (input.op) {
      case 'get':
        return answer({ found: entries[0] })
      case 'get-version':
        return answer({ found: named(input.versionId) })
      case 'list':
        return answer({ ids: entries })
      case 'put': {
        const exists = entries[0] !== undefined && !entries[0].startsWith('!')
        if (input.onlyNew && exists) return answer({ refused: 'PreconditionFailed' })
        return answer({ done: true }, { ...state, entries: [input.versionId, ...entries] })
      }
      case 'delete':
        return answer({ done: true }, { ...state, entries: [`!${input.markerId}`, ...entries] })
      case 'delete-version': {
        const entry = named(input.versionId)
        if (entry === undefined) return answer({ existed: false })
        if (state.held.includes(input.versionId)) return answer({ refused: 'WormProtected' })
        return answer({ existed: true }, { ...state, entries: entries.filter((each) => each !== entry) })
      }
      case 'hold': {
        const entry = named(input.versionId)
        if (entry === undefined) return answer({ refused: 'NoSuchVersion' })
        if (entry.startsWith('!')) return answer({ refused: 'IsDeleteMarker' })
        const held = [...new Set([...state.held, input.versionId])].sort()
        return answer({ done: true }, { ...state, held })
      }
    }
  },
}
