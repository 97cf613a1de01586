/**
 * Do the simulators see anything? Breaks the code in one place at a time and reports the first seed that notices.
 *
 *     node --import tsx test/sim/mutants.ts [part of a name]
 *
 * Not part of the test run: it takes minutes. To be run when the core or the simulator changes; a mutant that
 * survives is a missing fault, a missing check or code that is not needed.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const mutants: readonly Mutant[] = [
  {
    name: 'leader counts itself before its disk has the entry',
    file: 'core/raft-replication.ts',
    from: 'voter === raft.nodeId ? log.durable',
    to: 'voter === raft.nodeId ? log.lastIndex',
  },
  {
    name: 'follower acknowledges before its disk has the entry',
    file: 'core/raft-replication.ts',
    from: "...reply, match }, 'log')",
    to: "...reply, match }, 'nothing')",
  },
  {
    name: 'follower acknowledges with the term durable but not the log',
    file: 'core/raft-replication.ts',
    from: "...reply, match }, 'log')",
    to: "...reply, match }, 'term')",
  },
  {
    name: 'vote is given before it is durable',
    file: 'core/raft-election.ts',
    from: "raft.send({ ...reply, term: raft.term }, 'term')",
    to: "raft.send({ ...reply, term: raft.term }, 'nothing')",
  },
  {
    name: 'votes twice in a term',
    file: 'core/raft-election.ts',
    from: '(raft.votedFor === undefined && raft.leaderId === undefined)',
    to: 'raft.leaderId === undefined',
  },
  {
    name: 'votes for a log that is behind',
    file: 'core/raft-log.ts',
    from: 'return term > this.lastTerm ||',
    to: 'return true ||',
  },
  {
    name: 'commits entries of earlier terms by counting',
    file: 'core/raft-replication.ts',
    from: '|| !log.matches(reached, raft.term)) return',
    to: ') return',
  },
  {
    name: 'appends without comparing the entry before',
    file: 'core/raft-replication.ts',
    from: 'if (!log.matches(append.prevIndex, append.prevTerm)) {',
    to: 'if (append.prevIndex > log.lastIndex) {',
  },
  {
    name: 'keeps entries that contradict the leader',
    file: 'core/raft-replication.ts',
    from: '(entry) => !log.matches(entry.index, entry.term))',
    to: '(entry) => entry.index > log.lastIndex)',
  },
  {
    name: 'commits beyond what the append has shown to match',
    file: 'core/raft-replication.ts',
    from: 'commitTo(raft, Math.min(append.commit, match))',
    to: 'commitTo(raft, Math.min(append.commit, log.lastIndex))',
  },
  {
    name: 'heartbeat tells a commit index that the follower may not have',
    file: 'core/raft-reads.ts',
    from: 'Math.min(raft.log.committed, progress.match)',
    to: 'raft.log.committed',
  },
  {
    name: 'reads without asking whether it still leads',
    file: 'core/raft-reads.ts',
    from: 'if (!confirmed) return',
    to: '',
  },
  {
    name: 'reads before it knows what is committed',
    file: 'core/raft-reads.ts',
    from: 'if (!log.matches(log.committed, raft.term)) return',
    to: '',
  },
  {
    name: 'a round that began before a read confirms it',
    file: 'core/raft-reads.ts',
    from: 'if (reads.waiting.length === 0 || reads.confirming !== undefined) return',
    to: 'if (reads.waiting.length === 0) return\n  if (reads.confirming !== undefined) {\n    reads.confirming.ids.push(...reads.waiting)\n    reads.waiting = []\n    return\n  }',
  },
  {
    name: 'changes members while a change is not committed',
    file: 'core/raft.ts',
    from: 'const pending = membership.index > log.committed ||',
    to: 'const pending =',
  },
  {
    name: 'changes several voters at once',
    file: 'core/raft-membership.ts',
    from: 'votersBefore.symmetricDifference(votersAfter).size <= 1',
    to: 'true',
  },
  {
    name: 'a truncated change of members stays in effect',
    file: 'core/raft-state.ts',
    from: '    this.membership.truncate(from)\n',
    to: '',
  },
  {
    name: 'a write that was truncated meanwhile counts as durable',
    file: 'core/raft-state.ts',
    from: 'for (const write of this.#inflight) write.lastIndex = Math.min(write.lastIndex, from - 1)',
    to: '',
  },
  {
    name: 'a removed node is not allowed to finish its removal',
    file: 'core/raft-membership.ts',
    from: 'if (this.index <= committed) return false',
    to: 'return false',
  },
  {
    name: 'campaigns without asking first and obeys whoever does',
    file: 'core/raft.ts',
    from: 'if (inLease(raft) && !message.transfer) return false',
    to: '',
  },
  {
    name: 'never tells a deposed leader of the newer term',
    file: 'core/raft.ts',
    from: "else if (type === 'append' || type === 'heartbeat' || type === 'snapshot') {",
    to: 'else if (false) {',
  },
  {
    name: 'a lost append is never sent again',
    file: 'core/raft-replication.ts',
    from: "if (progress.match < raft.log.lastIndex && progress.state !== 'snapshot') {",
    to: 'if (false) {',
  },
  {
    name: 'installs a snapshot that is older than its log',
    file: 'core/raft.ts',
    from: 'if (staged.position.index > log.committed) raft',
    to: 'if (staged.position.index > log.baseIndex) raft',
  },
  {
    name: 'a leader without a majority goes on leading',
    file: 'core/raft-election.ts',
    from: 'if (!alive) becomeFollower(raft, raft.term, undefined)',
    to: '',
  },
  {
    name: 'an applied batch is handed out twice',
    file: 'core/raft-replication.ts',
    from: 'if (log.applying > log.applied || log.applying >= log.committed) return',
    to: 'if (log.applying >= log.committed) return',
  },
  {
    name: 'host says that a write is durable when it is only visible',
    file: 'services/replica-group.ts',
    from: 'write(mutations, { durable: true }).then(',
    to: 'write(mutations, { durable: false }).then(',
  },
  {
    name: 'snapshot claims the position of the core instead of its rows',
    file: 'services/replica-group.ts',
    from: 'const index = this.#storage.appliedIndex\n    const term',
    to: 'const index = this.#raft.log.applied\n    const term',
  },
  {
    name: 'an installed snapshot forgets which requests were answered',
    file: 'services/replica-group.ts',
    from: 'this.#requests.adopt(this.#receiver.takeInstalled())',
    to: 'this.#receiver.takeInstalled()',
  },
  {
    name: 'a snapshot leaves the answered requests out',
    file: 'services/replica-storage.ts',
    from: "replicatedSpaces = ['q/', 'r/']",
    to: "replicatedSpaces = ['r/']",
  },
  {
    name: 'applied index is written before its rows',
    file: 'services/replica-apply.ts',
    from: '    mutations.push(this.#storage.appliedRow(index))\n',
    to: '    this.#onWrite(this.#store.write([this.#storage.appliedRow(index)], { durable: false }))\n',
  },
  {
    name: 'an entry does not see the rows of earlier ones in its batch',
    file: 'services/replica-apply.ts',
    from: 'this.#pending.has(own) ? this.#pending.get(own) :',
    to: '',
  },
  {
    name: 'a read does not wait for what it has to see',
    file: 'services/replica-reads.ts',
    from: 'if (index <= applied) this',
    to: 'if (applied <= applied) this',
  },
  {
    name: 'chunks are staged in any order',
    file: 'services/replica-snapshot-receiver.ts',
    from: 'if (chunk.chunk !== staging.nextChunk) {',
    to: 'if (chunk.chunk < staging.nextChunk) {',
  },
  {
    name: 'chunks of two transfers are mixed',
    file: 'services/replica-snapshot-receiver.ts',
    from: 'if (this.#staging?.transferId === transferId ||',
    to: 'if (this.#staging !== undefined ||',
  },
  {
    name: 'what a crash left of a staged snapshot stays',
    file: 'services/replica-storage.ts',
    from: '    await this.#deleteOtherGenerations()\n',
    to: '',
  },
  {
    name: 'the votes of a node are not written',
    file: 'services/replica-storage.ts',
    from: 'vote: votedFor ?? null })',
    to: 'vote: null })',
  },
]

const [only] = process.argv.slice(2)
const root = resolve(import.meta.dirname, '../..')
let survivors = 0
for (const mutant of mutants) {
  if (only !== undefined && !mutant.name.includes(only)) continue
  const copy = mkdtempSync(join(tmpdir(), 'raft-mutant-'))
  try {
    for (const part of ['node', 'test', 'package.json', 'tsconfig.json']) {
      cpSync(join(root, part), join(copy, part), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const path = join(copy, 'node', mutant.file)
    const source = readFileSync(path, 'utf8')
    if (source.split(mutant.from).length !== 2) throw new Error(`mutant does not fit: ${mutant.name}`)
    writeFileSync(
      path,
      source.replace(mutant.from, () => mutant.to),
    )
    const core = mutant.file.startsWith('core/')
    const options = { encoding: 'utf8', cwd: copy, timeout: 300_000 } as const
    const seeds = ['test/sim/seeds.ts', ...(core ? ['raft', '1', '3000'] : ['replica', '1', '600'])]
    const run = spawnSync(process.execPath, ['--import', 'tsx', ...seeds], options)
    const directed = core
      ? ['--test', 'test/unit/raft.test.ts', 'test/unit/raft-rules.test.ts']
      : ['--test', 'test/unit/replica.test.ts', 'test/unit/replica-members.test.ts']
    const unseen = run.status === 0
    const tests = unseen
      ? spawnSync(process.execPath, ['--import', 'tsx', ...directed], { ...options, timeout: 60_000 })
      : undefined
    const noticed = !unseen || tests?.status !== 0
    if (!noticed) survivors += 1
    const failed = tests?.stdout.split('\n').find((line) => line.includes('✖')) ?? 'a test that does not end'
    const how = run.status === 0 ? failed.trim() : (run.stdout.trim().split('\n').at(-1) ?? '')
    console.log(
      `${noticed ? 'caught  ' : 'SURVIVED'} ${mutant.name}${noticed ? `: ${how.slice(0, 120)}` : ''}`,
    )
  } finally {
    rmSync(copy, { recursive: true })
  }
}
process.exitCode = survivors === 0 ? 0 : 1
