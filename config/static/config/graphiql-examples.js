"use strict";

/* Documents to begin with, by what they show; variables stand beside those that take some. */
const EXAMPLES = {
  "Home timeline": {
    query: `# What the people you follow have posted. It wants a token.
query Home($first: Int = 10, $after: String) {
  homeTimeline(first: $first, after: $after) {
    edges {
      cursor
      node {
        id
        text
        createdAt
        author { username displayName }
        counts { replies retweets likes }
        retweetOf { id text author { username } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
    variables: { first: 10 },
  },
  "A token": {
    query: `# Sign in. Put the token into the field above.
mutation SignIn($input: CreateTokenInput!) {
  createToken(input: $input) {
    token
    user { username }
    errors { field message }
  }
}
`,
    variables: { input: { username: "", password: "" } },
  },
  "Post a tweet": {
    query: `mutation Post($input: CreateTweetInput!) {
  createTweet(input: $input) {
    tweet { id text createdAt }
    errors { field message code }
  }
}
`,
    variables: { input: { text: "Hello from GraphiQL" } },
  },
  "A profile": {
    query: `query Profile($username: String!) {
  user(username: $username) {
    id
    username
    displayName
    bio
    followersCount
    followingCount
    tweetsCount
    relationship { following followedBy }
    tweets(first: 3) {
      edges { node { id text createdAt } }
    }
  }
}
`,
    variables: { username: "ada" },
  },
  "Public timeline": {
    query: `query Public {
  publicTimeline(first: 10) {
    edges {
      node {
        id
        text
        createdAt
        author { username displayName }
      }
    }
  }
}
`,
  },
  "Live home timeline": {
    query: `# Each tweet as it comes in, over a WebSocket. It wants a token.
# With a cursor as "after" first what was missed since.
subscription LiveHome($after: String) {
  homeTimeline(after: $after) {
    cursor
    tweet { id text author { username } }
    deletedId
  }
}
`,
    variables: { after: null },
  },
  "Live tweet": {
    query: `# What happens to a tweet, over a WebSocket: its counts, new replies, and its end. It wants a token.
subscription LiveTweet($id: ID!) {
  tweetActivity(id: $id) {
    counts { replies retweets quotes likes }
    tweet { id text author { username } }
    deletedId
  }
}
`,
    variables: { id: "" },
  },
};
