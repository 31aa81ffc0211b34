/** An object's fields as JSON calls them, at every depth: `createdMs` as `created_ms`. */
export function snakeCaseFields(value: object): Record<string, unknown> {
  const isObject = (field: unknown): field is object =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
  return Object.fromEntries(
    Object.entries(value).map(([name, field]: [string, unknown]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      isObject(field) ? snakeCaseFields(field) : field,
    ]),
  )
}
