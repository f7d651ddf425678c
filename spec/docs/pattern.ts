/** What is said to be printed, where `…` stands for anything. */
export function patternOf(output: string): RegExp {
  const parts = output.split('…').map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('[\\s\\S]*')}$`);
}
