// The history checker: is what clients saw explained by one copy that does one thing at a time?
export { appendListModel, type ListInput, type ListOutput } from "./append-list-model.ts";
export { type Balances, type BankInput, bankModel, type BankOutput } from "./bank-model.ts";
export {
  checkHistory,
  checkOperations,
  type CheckOptions,
  type PartitionVerdict,
  type Progress,
  type Verdict,
} from "./checker.ts";
export { type CounterInput, counterModel, type CounterOutput } from "./counter-model.ts";
export { explain, type Explanation, explanationText } from "./explain.ts";
export { formatHistory } from "./format-history.ts";
export { asUnknown, type History, type Operation, type Outcome } from "./history.ts";
export { explanationHtml } from "./html.ts";
export { type KvInput, kvModel, type KvOutput, kvValue } from "./kv-model.ts";
export { type AnyModel, anyModel, type FileModel, IMPOSSIBLE, type Model, type StepResult } from "./model.ts";
export { type Fault, HistoryBuilder } from "./parse-history.ts";
