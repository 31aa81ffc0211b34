import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeDice } from '../../bench/node/random.ts'
import { isComplete, SEED } from './form.ts'
import { limitPacks, makePlace, type Place } from './place.ts'
import { type Recording, record, recordStory } from './recording.ts'
import { DAILY, STORY } from './story.ts'
import { faultsOf } from './survive.ts'
import { someWreck, storedKey, type Wreck, wrecksOf } from './wrecks.ts'

const SHORT_STATES = 2
const CRASHES = isComplete ? 150 : 4

let place: Place
let limits: Disposable
let story: readonly Recording[]
const tried: string[] = []
const HOUR_MS = 3_600_000

beforeAll(async () => {
  place = makePlace()
  limits = limitPacks({ data: 24 * 1024, meta: 2048 })
  story = await recordStory(place, makeDice(SEED))
})
afterAll(async () => {
  console.log(['states after a crash:', ...tried].join('\n  '))
  limits[Symbol.dispose]()
  await place[Symbol.asyncDispose]()
})

/** Sets of packs and snapshots of which each snapshot has been restored. */
const restored = new Set<string>()

async function expectSurvival(wreck: Wreck): Promise<void> {
  const key = storedKey(wreck)
  const faults = await faultsOf(wreck, place, { restoreAll: !restored.has(key) })
  restored.add(key)
  expect({ cut: wreck.cut, faults }).toEqual({ cut: wreck.cut, faults: [] })
}

test.each(STORY.map(({ name }) => name))(
  '%s, cut off anywhere, loses nothing',
  { timeout: 3_600_000 },
  async (name) => {
    const recording = story.find(({ chapter }) => chapter.name === name)!
    const wrecks = [...wrecksOf(recording)]
    const every = isComplete ? 1 : Math.ceil(wrecks.length / SHORT_STATES)
    const chosen = wrecks.filter((_, i) => i % every === 0)
    for (const wreck of chosen) await expectSurvival(wreck)
    tried.push(`${name}: ${chosen.length} of ${wrecks.length}, from ${recording.operations.length} operations`)
  },
)

test('crash upon crash loses nothing', { timeout: 3_600_000 }, async () => {
  const dice = makeDice(SEED + 1)
  const last = story.at(-1)!
  let start: Parameters<typeof record>[1] = { image: last.end, derived: last.derived.at(-1)! }
  for (let crash = 1; crash <= CRASHES; crash++) {
    const chapter = DAILY[dice(DAILY.length)]!
    const wreck = someWreck(await record(chapter, start, place, dice, crash * HOUR_MS), dice)
    await expectSurvival(wreck)
    start = wreck
  }
  tried.push(`crash upon crash: ${CRASHES}`)
})
