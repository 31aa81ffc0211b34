import { cpus, release, totalmem, type } from 'node:os'
import { type Place, TOOLS, type Tool, toolVersion } from './tools.ts'

/** Machine, versions and commands: what somebody else needs to judge or repeat the figures. Markdown. */
export function renderConditions(tools: readonly Tool[], command: string): string {
  const versions = tools.map((tool) => `- ${tool.name}: ${toolVersion(tool)}`)
  const missing = TOOLS.filter((tool) => toolVersion(tool) === undefined).map((tool) => `- ${tool.name}: not installed`)
  const commands = tools.map(
    (tool) =>
      `${tool.name}:\n${commandsOf(tool)
        .map((line) => `    ${line}\n`)
        .join('')}`,
  )
  return [
    `- ${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`,
    `- ${type()} ${release()}, Node ${process.version}`,
    ...versions,
    ...missing,
    `- ${new Date().toISOString().slice(0, 10)}: \`${command}\``,
    '',
    '```',
    commands.join('').trimEnd(),
    '```',
  ].join('\n')
}

const PLACE: Place = { repo: 'REPO', source: 'SOURCE', target: 'TARGET', backups: 1 }

function commandsOf(tool: Tool): string[] {
  const lines = Object.values(tool.verbs).flatMap((commands) => commands(PLACE).map((command) => command.join(' ')))
  return [...new Set(lines)].map((line) => line.replaceAll(`${process.cwd()}/`, ''))
}
