/**
 * The auditor process: a member in no group that keeps every journal of every group.
 */
import type { AuditorConfig } from './config.ts'
import { Auditor } from './io/auditor.ts'
import type { Logger, RunningProcess } from './io/process-life.ts'
import { systemClock } from './io/system-world.ts'
import { Member } from './member.ts'

export async function startAuditor(config: AuditorConfig, logger: Logger): Promise<RunningProcess> {
  const member = await Member.open(config, 'auditor', logger)
  const auditor = await Auditor.open({
    directory: config.dataDir,
    connections: member.swarm,
    maps: () => [member.genesis.map, member.map()],
    clock: systemClock,
    onFailure: (why, detail) => logger.warn({ why, detail }, 'journal not followed'),
  })
  member.admin.addRoute('/status', () => ({
    nodeId: config.nodeId,
    epoch: member.map().epoch,
    peers: member.transport.peers(),
    ...auditor.state(),
  }))
  const ready = await member.serve({})
  return {
    ready,
    close: async () => {
      await auditor.close()
      await member.close()
    },
  }
}
