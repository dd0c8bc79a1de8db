/** The shape of a Llama-family model, from config.json or from GGUF metadata. */
export interface LlamaConfig {
  architecture: 'llama' | 'qwen2' | 'qwen3';
  vocabSize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  /** Size of one head; not always hiddenSize / heads. */
  headDim: number;
  ffnSize: number;
  rmsEps: number;
  ropeTheta: number;
  /** Llama 3's stretching of low frequencies. */
  ropeScaling?: {
    factor: number;
    lowFreqFactor: number;
    highFreqFactor: number;
    originalMaxPositions: number;
  };
  /** The vocabulary matrix is both embedding and head. */
  tiedEmbeddings: boolean;
  qkvBias: boolean;
  qkNorm: boolean;
  maxPositions: number;
  bosToken?: number;
  /** Tokens that end a turn or the text. */
  eosTokens: number[];
}
